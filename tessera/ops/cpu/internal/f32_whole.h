// The condition that all kernels of tessera/ops/cpu share.
#pragma once

#include "tessera/graph/kernel.h"

namespace tessera::internal {

/// Yes when every operand and result is f32, whole on this rank, and holds elements.
Support f32_whole(const OpCall& call);

}  // namespace tessera::internal
