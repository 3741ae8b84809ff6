#include "tessera/ops/cpu/nhwc/internal/dense_kernel.h"

#include "tessera/ops/cpu/bf16/internal/pairs.h"
#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/cpu/internal/dnnl_call.h"
#include "tessera/ops/cpu/nhwc/internal/window_conv.h"
#include "tessera/ops/internal/fused.h"

namespace tessera::internal {
namespace {

class PreparedDense final : public PreparedKernel {
 public:
  PreparedDense(const OpCall& call, Packing packing)
      : conv_(dense_as_conv(call, packing == Packing::kPairs ? pair_simd() : available_simd())),
        weights_(conv_.simd, {call.shape(1)[0], call.shape(1)[1], 1, 1}, packing) {
    if (packing == Packing::kPairs) {
      source_ = {.images = 1,
                 .pixels = conv_.images,
                 .channels = conv_.in_channels,
                 .pitch = conv_.in_channels,
                 .threads = worthwhile_threads(
                     static_cast<double>(conv_.images * conv_.in_channels), conv_.threads)};
      conv_.pairs = true;
      conv_.in_channels = conv_.in_pitch = pair_count(conv_.in_channels);
    }
    formats_.operands.resize(call.operand_count());
    formats_.operands[1] = std::make_shared<PackedWeights>(weights_);
    formats_.results.resize(1);
  }

  const Formats& formats() const override { return formats_; }
  std::string detail() const override {
    return std::string(conv_.pairs ? pair_simd_name() : to_string(conv_.simd));
  }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const auto in = [&](size_t i) { return floats_of(operands[i]); };
    float* out = mutable_floats_of(results[0]);
    conv_.end.bias = operands.size() > kBiasOperand ? in(kBiasOperand) : nullptr;
    conv_.end.residual = operands.size() > kResidualOperand ? in(kResidualOperand) : nullptr;
    const float* rows = conv_.pairs ? rounded(source_, in(0)) : in(0);
    run_window_conv(conv_, weights_.panels(), rows, in(1), out);
  }

 private:
  WindowConv conv_;
  PairSource source_;  // of a product of pairs
  PackedWeights weights_;
  Formats formats_;
};

}  // namespace

WindowConv dense_as_conv(const OpCall& call, Simd simd) {
  const Shape& weight = call.shape(1);
  WindowConv conv;
  conv.simd = simd;
  conv.window.y.input = conv.window.y.kernel = conv.window.y.output = 1;
  conv.window.x = conv.window.y;
  conv.images = element_count(call.results[0].shape()) / weight[0];
  conv.in_channels = conv.in_pitch = weight[1];
  conv.out_channels = conv.out_pitch = weight[0];
  conv.copies_few_channels = false;
  conv.end.residual_pitch = weight[0];
  conv.end.activation = parse_activation(call.attr<std::string>("activation"));
  conv.end.alpha = static_cast<float>(call.attr<double>("alpha"));
  conv.threads = worthwhile_threads(
      static_cast<double>(conv.images) * static_cast<double>(element_count(weight)),
      thread_limit());
  return conv;
}

Support packed_dense_supports(const OpCall& call) {
  if (Support support = direct_supports(call); !support.ok) return support;
  if (!is_constant(call, 1)) return Support::no("its weights are packed when compiled");
  if (Support support = fused_shapes_fit(call, call.shape(1)[0]); !support.ok) return support;
  return ends_in_tiles(call);
}

std::unique_ptr<PreparedKernel> prepare_packed_dense(const OpCall& call, Packing packing) {
  return std::make_unique<PreparedDense>(call, packing);
}

}  // namespace tessera::internal
