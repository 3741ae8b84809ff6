// Softmax and its logarithm by oneDNN.
#pragma once

#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera::internal {

DnnlCall describe_softmax(const OpCall& call, bool logarithm);

}  // namespace tessera::internal
