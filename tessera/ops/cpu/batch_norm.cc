#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

DnnlCall describe(const OpCall& call, const Formats& offered) {
  const DnnlDesc desc = offered_desc(call, offered, 0);
  const DnnlDesc channel = plain_desc(Shape{call.shape(0)[1]});
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  const auto flags = dnnl::normalization_flags::use_global_stats |
                     dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
  const auto epsilon = static_cast<float>(call.attr<double>("epsilon"));
  using Norm = dnnl::batch_normalization_forward;
#if DNNL_VERSION_MAJOR >= 3
  const auto chosen = dnnl_primitive<Norm>({}, kKind, desc, desc, epsilon, flags);
#else
  const auto chosen = dnnl_primitive<Norm>({}, kKind, desc, epsilon, flags);
#endif
  DnnlCall described = dnnl_call<Norm>(chosen, static_cast<double>(element_count(call.shape(0))));
  described.operand(DNNL_ARG_SRC, 0, desc);
  described.operand(DNNL_ARG_SCALE, 1, channel);
  described.operand(DNNL_ARG_SHIFT, 2, channel);
  described.operand(DNNL_ARG_MEAN, 3, channel);
  described.operand(DNNL_ARG_VARIANCE, 4, channel);
  described.result(DNNL_ARG_DST, desc);
  return described;
}

}  // namespace

TESSERA_KERNEL(batch_norm, cpu) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
