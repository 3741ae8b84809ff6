// Pooling by oneDNN.
#pragma once

#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera::internal {

DnnlCall describe_pool(const OpCall& call, const Formats& offered, dnnl::algorithm algorithm);

}  // namespace tessera::internal
