// The condition that all kernels of tessera/ops/cpu share.
#pragma once

#include "tessera/graph/kernel.h"

namespace tessera::internal {

/// Yes when every operand and result is f32 and holds elements here. Kernels compute parts of
/// tensors as if they were the whole: those that may not say so themselves.
Support f32_only(const OpCall& call);

}  // namespace tessera::internal
