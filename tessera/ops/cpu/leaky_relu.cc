#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {
namespace {

internal::DnnlCall describe(const OpCall& call, const Formats& offered) {
  return internal::describe_eltwise(
      call, offered, internal::eltwise_of(Activation::kLeakyRelu, call.attr<double>("alpha")));
}

}  // namespace

TESSERA_KERNEL(leaky_relu, cpu) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
