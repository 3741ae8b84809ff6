// The conditions that kernels of tessera/ops/cpu share. Kernels compute parts of tensors as if they
// were the whole: those that may not say so themselves.
#pragma once

#include "tessera/graph/kernel.h"

namespace tessera::internal {

/// Yes when every operand and result is f32: whole tensors or parts of them, empty or not.
Support f32_only(const OpCall& call);

/// Yes when every operand and result is f32 and holds elements here.
Support f32_filled(const OpCall& call);

}  // namespace tessera::internal
