#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

Support check(const OpCall& call) {
  return fused_shapes_fit(call, call.shape(1)[0]);
}

DnnlCall describe(const OpCall& call, const Formats&) {
  const int64_t channels = call.shape(1)[0];
  const int64_t inner = call.shape(1)[1];
  const int64_t rows = element_count(call.results[0].shape()) / channels;
  const DnnlDesc source = plain_desc(DnnlDims{rows, inner});
  const DnnlDims weight_dims = {channels, inner};
  const DnnlDesc weight = is_constant(call, 1) ? any_desc(weight_dims) : plain_desc(weight_dims);
  const DnnlDesc bias = plain_desc(DnnlDims{channels});
  const DnnlDesc result = plain_desc(DnnlDims{rows, channels});
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  using Dense = dnnl::inner_product_forward;
  const dnnl::primitive_attr attr = fused_attr(call);
  const Dense::primitive_desc chosen =
      has_bias(call) ? dnnl_primitive<Dense>(attr, kKind, source, weight, bias, result)
                     : dnnl_primitive<Dense>(attr, kKind, source, weight, result);
  DnnlCall described =
      dnnl_call<Dense>(chosen, static_cast<double>(rows * channels) * static_cast<double>(inner));
  described.operand(DNNL_ARG_SRC, 0, source);
  described.operand(DNNL_ARG_WEIGHTS, 1, chosen.weights_desc());
  add_fused_operands(described, call, bias, result);
  described.result(DNNL_ARG_DST, result);
  return described;
}

}  // namespace

TESSERA_KERNEL(dense, cpu) {
  return internal::dnnl_kernel<describe, check>();
}

}  // namespace tessera
