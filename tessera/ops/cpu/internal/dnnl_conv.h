// Convolutions by oneDNN: what conv2d and its two gradients share.
#pragma once

#include "tessera/ops/cpu/internal/dnnl_call.h"
#include "tessera/ops/internal/window.h"

namespace tessera::internal {

/// A convolution whose tensors have the formats that the primitive chooses.
struct DnnlConv {
  DnnlDesc source;
  DnnlDesc weight;  // [groups,o,i,h,w] where there are groups
  DnnlDesc result;
  DnnlDims strides;
  DnnlDims dilation;
  DnnlDims begin;  // padding
  DnnlDims end;
  double work = 0;  // multiply-adds
};
/// Of what is here of x, weight and result.
DnnlConv dnnl_conv(const Window& window, const Shape& x, const Shape& weight, const Shape& result);

/// The forward primitive that the backward ones ask to be made for.
dnnl::convolution_forward::primitive_desc forward_hint(const DnnlConv& conv);

/// What oneDNN decides for a backward `Primitive` with these arguments, beside the forward one.
template <typename Primitive, typename Hint, typename... Args>
typename Primitive::primitive_desc dnnl_backward(const Hint& hint, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(dnnl_engine(), args..., hint, plain_attr());
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), plain_attr(),
                                            dnnl_engine(), hint);
#endif
}

}  // namespace tessera::internal
