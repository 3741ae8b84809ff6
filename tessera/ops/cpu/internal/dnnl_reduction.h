// Reductions over some dims by oneDNN, of row-major tensors.
#pragma once

#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera::internal {

DnnlCall describe_reduction(const OpCall& call, dnnl::algorithm algorithm);

template <dnnl::algorithm algorithm>
DnnlCall describe_reduction(const OpCall& call, const Formats&) {
  return describe_reduction(call, algorithm);
}

}  // namespace tessera::internal
