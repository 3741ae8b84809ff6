// Functions of two elements by oneDNN, with numpy's broadcasting.
#pragma once

#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera::internal {

/// a op b. oneDNN broadcasts the second source only: a commutative op swaps where a is the small
/// one, others say no.
DnnlCall describe_binary(const OpCall& call, const Formats& offered, dnnl::algorithm algorithm,
                         bool commutes);

template <dnnl::algorithm algorithm, bool commutes>
DnnlCall describe_binary(const OpCall& call, const Formats& offered) {
  return describe_binary(call, offered, algorithm, commutes);
}

template <dnnl::algorithm algorithm, bool commutes>
Kernel binary_kernel() {
  return dnnl_kernel<describe_binary<algorithm, commutes>>();
}

}  // namespace tessera::internal
