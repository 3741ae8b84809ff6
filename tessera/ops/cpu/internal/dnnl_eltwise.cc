#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera::internal {

DnnlCall describe_eltwise(const OpCall& call, const Formats& offered, const Eltwise& eltwise) {
  // A row-major tensor is one long row: oneDNN has faster code for few dims.
  const int64_t count = element_count(call.shape(0));
  const DnnlDesc desc =
      offered.operands[0] == nullptr ? plain_desc(DnnlDims{count}) : offered_desc(call, offered, 0);
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  using Primitive = dnnl::eltwise_forward;
#if DNNL_VERSION_MAJOR >= 3
  const auto chosen = dnnl_primitive<Primitive>({}, kKind, eltwise.algorithm, desc, desc,
                                                eltwise.alpha, eltwise.beta);
#else
  const auto chosen =
      dnnl_primitive<Primitive>({}, kKind, eltwise.algorithm, desc, eltwise.alpha, eltwise.beta);
#endif
  DnnlCall described = dnnl_call<Primitive>(chosen, static_cast<double>(count));
  described.operand(DNNL_ARG_SRC, 0, desc);
  described.result(DNNL_ARG_DST, desc);
  return described;
}

}  // namespace tessera::internal
