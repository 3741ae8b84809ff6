#include "tessera/ops/cpu/internal/dnnl_conv.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

DnnlCall describe(const OpCall& call, const Formats&) {
  const Ints& size = call.attr<Ints>("size");
  const Shape& x = call.results[0].shape();
  const Window window = conv_window(call, {x[0], x[1], size[0], size[1]}, call.global(1));
  const DnnlConv conv = dnnl_conv(window, x, call.shape(1), call.shape(0));
  using Backward = dnnl::convolution_backward_data;
  const auto chosen = dnnl_backward<Backward>(
      forward_hint(conv), dnnl::algorithm::convolution_direct, conv.source, conv.weight,
      conv.result, conv.strides, conv.dilation, conv.begin, conv.end);
  DnnlCall described = dnnl_call<Backward>(chosen, conv.work);
  described.operand(DNNL_ARG_DIFF_DST, 0, chosen.diff_dst_desc());
  described.operand(DNNL_ARG_WEIGHTS, 1, chosen.weights_desc());
  described.result(DNNL_ARG_DIFF_SRC, chosen.diff_src_desc());
  return described;
}

}  // namespace

TESSERA_KERNEL(conv2d_input_grad, cpu_train) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
