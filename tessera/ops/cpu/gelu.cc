#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {
namespace {

internal::DnnlCall describe(const OpCall& call, const Formats& offered) {
  const auto algorithm = call.attr<bool>("approximate") ? dnnl::algorithm::eltwise_gelu_tanh
                                                        : dnnl::algorithm::eltwise_gelu_erf;
  return internal::describe_eltwise(call, offered, {algorithm});
}

}  // namespace

TESSERA_KERNEL(gelu, cpu) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
