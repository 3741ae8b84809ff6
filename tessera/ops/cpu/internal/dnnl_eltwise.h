// Functions of one element, by oneDNN, in whatever format the operand lies.
#pragma once

#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera::internal {

DnnlCall describe_eltwise(const OpCall& call, const Formats& offered, const Eltwise& eltwise);

template <Activation activation>
DnnlCall describe_activation(const OpCall& call, const Formats& offered) {
  return describe_eltwise(call, offered, eltwise_of(activation, 0));
}

/// The kernel of an op that is one of the activations, without attributes.
template <Activation activation>
Kernel activation_kernel() {
  return dnnl_kernel<describe_activation<activation>>();
}

template <dnnl::algorithm algorithm, int alpha>
DnnlCall describe_function(const OpCall& call, const Formats& offered) {
  return describe_eltwise(call, offered, {algorithm, static_cast<float>(alpha)});
}

/// The kernel of an op that is `algorithm` with this constant.
template <dnnl::algorithm algorithm, int alpha = 0>
Kernel eltwise_kernel() {
  return dnnl_kernel<describe_function<algorithm, alpha>>();
}

}  // namespace tessera::internal
