#include "tessera/ops/cpu/internal/dnnl_conv.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

Support check(const OpCall& call) {
  return fused_shapes_fit(call, call.shape(1)[0]);
}

DnnlCall describe(const OpCall& call, const Formats&) {
  const Shape& weight = call.shape(1);
  const DnnlConv conv =
      dnnl_conv(conv_window(call), call.shape(0), weight, call.results[0].shape());
  const DnnlDesc bias = plain_desc(Shape{weight[0]});
  const dnnl::primitive_attr attr = fused_attr(call);
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
  using Conv = dnnl::convolution_forward;
  const Conv::primitive_desc chosen =
      has_bias(call)
          ? dnnl_primitive<Conv>(attr, kKind, kAlgorithm, conv.source, conv.weight, bias,
                                 conv.result, conv.strides, conv.dilation, conv.begin, conv.end)
          : dnnl_primitive<Conv>(attr, kKind, kAlgorithm, conv.source, conv.weight, conv.result,
                                 conv.strides, conv.dilation, conv.begin, conv.end);
  DnnlCall described = dnnl_call<Conv>(chosen, conv.work);
  described.operand(DNNL_ARG_SRC, 0, chosen.src_desc());
  described.operand(DNNL_ARG_WEIGHTS, 1, chosen.weights_desc());
  add_fused_operands(described, call, bias, chosen.dst_desc());
  described.result(DNNL_ARG_DST, chosen.dst_desc());
  return described;
}

}  // namespace

TESSERA_KERNEL(conv2d, cpu) {
  return internal::dnnl_kernel<describe, check>();
}

}  // namespace tessera
