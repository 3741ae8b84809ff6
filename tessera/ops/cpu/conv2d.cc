#include "tessera/ops/cpu/internal/dnnl_call.h"
#include "tessera/ops/internal/window.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

Support check(const OpCall& call) {
  return fused_shapes_fit(call, call.shape(1)[0]);
}

DnnlCall describe(const OpCall& call, const Formats&) {
  const Window window = conv_window(call);
  const Shape& weight = call.shape(1);
  const int64_t groups = call.shape(0)[1] / weight[1];  // those that are here
  DnnlDims weight_dims = dims_of(weight);
  if (groups > 1) {
    weight_dims[0] /= groups;
    weight_dims.insert(weight_dims.begin(), groups);
  }
  const DnnlDesc weight_desc =
      is_constant(call, 1) ? any_desc(weight_dims) : plain_desc(weight_dims);
  const DnnlDesc bias = plain_desc(Shape{weight[0]});
  const DnnlDesc source = any_desc(dims_of(call.shape(0)));
  const DnnlDesc result = any_desc(dims_of(call.results[0].shape()));
  const DnnlDims strides = {window.y.stride, window.x.stride};
  const DnnlDims dilation = {window.y.dilation - 1, window.x.dilation - 1};
  const DnnlDims begin = {window.y.pad_begin, window.x.pad_begin};
  const DnnlDims end = {window.y.pad_end, window.x.pad_end};
  const dnnl::primitive_attr attr = fused_attr(call);
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
  using Conv = dnnl::convolution_forward;
  const Conv::primitive_desc chosen =
      has_bias(call) ? dnnl_primitive<Conv>(attr, kKind, kAlgorithm, source, weight_desc, bias,
                                            result, strides, dilation, begin, end)
                     : dnnl_primitive<Conv>(attr, kKind, kAlgorithm, source, weight_desc, result,
                                            strides, dilation, begin, end);
  const double products = static_cast<double>(element_count(weight) / weight[0]);
  DnnlCall described = dnnl_call<Conv>(
      chosen, products * static_cast<double>(element_count(call.results[0].shape())));
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
