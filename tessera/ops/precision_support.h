// Whether this processor has the instructions of a precision.
#pragma once

#include "tessera/graph/kernel.h"

namespace tessera {

/// No, and which instructions are missing and what helps, where programs of this precision cannot
/// be compiled here. TESSERA_SIMD (tessera/ops/cpu/internal/direct.h) takes instructions away;
/// TESSERA_BF16=emulate in the environment computes bf16 without its instructions, with the same
/// rounding of operands, slower than f32: for tests.
Support precision_support(Precision precision);
/// Throws kUnsupported with that reason.
void require_precision(Precision precision);

}  // namespace tessera
