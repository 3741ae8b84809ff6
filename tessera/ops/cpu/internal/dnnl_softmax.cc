#include "tessera/ops/cpu/internal/dnnl_softmax.h"

#include "tessera/ops/internal/axis.h"

namespace tessera::internal {

DnnlCall describe_softmax(const OpCall& call, bool logarithm) {
  const Shape& shape = call.shape(0);
  const AxisView view = axis_view(shape, wrap_axis(call.attr<int64_t>("axis"), shape.size()));
  const DnnlDesc desc = plain_desc(DnnlDims{view.outer, view.extent, view.inner});
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  const auto algorithm =
      logarithm ? dnnl::algorithm::softmax_log : dnnl::algorithm::softmax_accurate;
#if DNNL_VERSION_MAJOR >= 3
  using Softmax = dnnl::softmax_forward;
#else
  using Softmax = dnnl::softmax_v2_forward;
#endif
  const auto chosen = dnnl_primitive<Softmax>({}, kKind, algorithm, desc, desc, 1);
  DnnlCall described = dnnl_call<Softmax>(chosen, 10 * static_cast<double>(element_count(shape)));
  described.operand(DNNL_ARG_SRC, 0, desc);
  described.result(DNNL_ARG_DST, desc);
  return described;
}

}  // namespace tessera::internal
