#include "tessera/ops/cpu/train/internal/dnnl_conv.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

DnnlCall describe(const OpCall& call, const Formats&) {
  // One long row, whatever the dims are.
  const DnnlDesc desc = plain_desc(DnnlDims{element_count(call.shape(0))});
  const auto algorithm = call.attr<bool>("approximate") ? dnnl::algorithm::eltwise_gelu_tanh
                                                        : dnnl::algorithm::eltwise_gelu_erf;
  constexpr auto kKind = dnnl::prop_kind::forward_training;
  using Forward = dnnl::eltwise_forward;
  using Backward = dnnl::eltwise_backward;
#if DNNL_VERSION_MAJOR >= 3
  const auto hint = dnnl_primitive<Forward>({}, kKind, algorithm, desc, desc, 0.0F, 0.0F);
  const auto chosen = dnnl_backward<Backward>(hint, algorithm, desc, desc, desc, 0.0F, 0.0F);
#else
  const auto hint = dnnl_primitive<Forward>({}, kKind, algorithm, desc, 0.0F, 0.0F);
  const auto chosen = dnnl_backward<Backward>(hint, algorithm, desc, desc, 0.0F, 0.0F);
#endif
  DnnlCall described =
      dnnl_call<Backward>(chosen, static_cast<double>(element_count(call.shape(0))));
  described.operand(DNNL_ARG_DIFF_DST, 0, desc);
  described.operand(DNNL_ARG_SRC, 1, desc);
  described.result(DNNL_ARG_DIFF_SRC, desc);
  return described;
}

}  // namespace

TESSERA_KERNEL(gelu_grad, cpu_train) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
