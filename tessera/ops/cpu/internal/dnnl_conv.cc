#include "tessera/ops/cpu/internal/dnnl_conv.h"

namespace tessera::internal {

DnnlConv dnnl_conv(const Window& window, const Shape& x, const Shape& weight, const Shape& result) {
  const int64_t groups = x[1] / weight[1];  // those that are here
  DnnlDims weight_dims = dims_of(weight);
  if (groups > 1) {
    weight_dims[0] /= groups;
    weight_dims.insert(weight_dims.begin(), groups);
  }
  DnnlConv conv;
  conv.source = any_desc(dims_of(x));
  conv.weight = any_desc(weight_dims);
  conv.result = any_desc(dims_of(result));
  conv.strides = {window.y.stride, window.x.stride};
  conv.dilation = {window.y.dilation - 1, window.x.dilation - 1};
  conv.begin = {window.y.pad_begin, window.x.pad_begin};
  conv.end = {window.y.pad_end, window.x.pad_end};
  conv.work = static_cast<double>(element_count(weight) / weight[0]) *
              static_cast<double>(element_count(result));
  return conv;
}

dnnl::convolution_forward::primitive_desc forward_hint(const DnnlConv& conv) {
  return dnnl_primitive<dnnl::convolution_forward>(
      {}, dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, conv.source,
      conv.weight, conv.result, conv.strides, conv.dilation, conv.begin, conv.end);
}

}  // namespace tessera::internal
