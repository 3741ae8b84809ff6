// The conditions that kernels of tessera/ops/cpu share.
#pragma once

#include "tessera/graph/kernel.h"

namespace tessera::internal {

/// Yes when every operand and result is f32: whole tensors or parts of them, empty or not.
Support f32_only(const OpCall& call);

/// Yes when every operand and result is f32, whole on this rank, and holds elements.
Support f32_whole(const OpCall& call);

}  // namespace tessera::internal
