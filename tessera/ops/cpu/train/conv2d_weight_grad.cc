#include "tessera/ops/cpu/internal/dnnl_conv.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

DnnlCall describe(const OpCall& call, const Formats&) {
  const Shape& weight = call.results[0].shape();
  const Window window = conv_window(call, call.global(0), weight);
  const DnnlConv conv = dnnl_conv(window, call.shape(0), weight, call.shape(1));
  using Backward = dnnl::convolution_backward_weights;
  const auto chosen = dnnl_backward<Backward>(
      forward_hint(conv), dnnl::algorithm::convolution_direct, conv.source, conv.weight,
      conv.result, conv.strides, conv.dilation, conv.begin, conv.end);
  DnnlCall described = dnnl_call<Backward>(chosen, conv.work);
  described.operand(DNNL_ARG_SRC, 0, chosen.src_desc());
  described.operand(DNNL_ARG_DIFF_DST, 1, chosen.diff_dst_desc());
  described.result(DNNL_ARG_DIFF_WEIGHTS, chosen.diff_weights_desc());
  return described;
}

}  // namespace

TESSERA_KERNEL(conv2d_weight_grad, cpu_train) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
