#include "tessera/ops/cpu/nhwc/internal/conv_kernel.h"

#include "tessera/ops/cpu/bf16/internal/pairs.h"
#include "tessera/ops/cpu/internal/dnnl_call.h"
#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/nhwc/internal/channels_last.h"
#include "tessera/ops/cpu/nhwc/internal/window_conv.h"
#include "tessera/ops/cpu/nhwc/internal/winograd.h"
#include "tessera/ops/internal/fused.h"

namespace tessera::internal {
namespace {

bool is_unit(const WindowDim& dim) {
  return dim.kernel == 3 && dim.stride == 1 && dim.dilation == 1;
}

double work_of(const OpCall& call) {
  const Shape& weight = call.shape(1);
  return static_cast<double>(element_count(weight) / weight[0]) *
         static_cast<double>(element_count(call.results[0].shape()));
}

/// Images with few channels are taken row-major, as they come from outside.
std::vector<Format> formats_of(const OpCall& call, const PackedWeights& weights, bool is_plain) {
  std::vector<Format> formats(call.operand_count());
  if (!is_plain) formats[0] = channels_last(call.shape(0));
  formats[1] = std::make_shared<PackedWeights>(weights);
  if (has_residual(call)) formats[kResidualOperand] = channels_last(call.results[0].shape());
  return formats;
}

class PreparedConv final : public ChannelsLastKernel {
 public:
  PreparedConv(const OpCall& call, const WindowConv& conv, const PackedWeights& weights)
      : ChannelsLastKernel(call, formats_of(call, weights, conv.in_is_plain)),
        conv_(conv),
        weights_(weights),
        has_residual_(has_residual(call)) {
    if (weights.packing() == Packing::kPairs) round_operand(call);
  }

  int reusable_operand() const override {
    const bool is_own = out_pitch_ == conv_.out_channels;
    return has_residual_ && is_own ? static_cast<int>(kResidualOperand) : -1;
  }
  std::string detail() const override {
    if (conv_.pairs) return std::string(pair_simd_name());
    const int64_t patch = winograd_patch(weights_.packing());
    const std::string loop = patch > 0 ? fmt::format("winograd{}", patch) : "tiles";
    return fmt::format("{} {}", loop, to_string(conv_.simd));
  }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    conv_.out_pitch = out_pitch_;
    conv_.end.bias = operands.size() > kBiasOperand ? in(operands, kBiasOperand) : nullptr;
    conv_.end.residual =
        operands.size() > kResidualOperand ? in(operands, kResidualOperand) : nullptr;
    const float* pixels = in(operands, 0);
    if (conv_.pairs) pixels = rounded(source_, pixels);
    if (winograd_patch(weights_.packing()) > 0) {
      run_winograd(winograd_of(conv_, winograd_patch(weights_.packing())), weights_.panels(),
                   pixels, in(operands, 1), out(results));
    } else {
      run_window_conv(conv_, weights_.panels(), pixels, in(operands, 1), out(results));
    }
  }

 private:
  /// The operand as given; conv_ is of its pairs then.
  void round_operand(const OpCall& call) {
    source_.images = conv_.images;
    source_.pixels = conv_.window.y.input * conv_.window.x.input;
    source_.channels = source_.pitch = conv_.in_channels;
    source_.is_plain = conv_.in_is_plain;
    source_.threads =
        worthwhile_threads(static_cast<double>(element_count(call.shape(0))), conv_.threads);
    conv_.pairs = true;
    conv_.in_channels = conv_.in_pitch = pair_count(conv_.in_channels);
    conv_.in_is_plain = false;
  }

  WindowConv conv_;
  PairSource source_;  // of a convolution of pairs
  PackedWeights weights_;
  bool has_residual_;
};

}  // namespace

WindowConv conv_of(const OpCall& call, Simd simd) {
  const Shape& in = call.shape(0);
  WindowConv conv;
  conv.simd = simd;
  conv.window = conv_window(call);
  conv.images = in[0];
  conv.in_channels = conv.in_pitch = in[1];
  conv.out_channels = call.results[0].shape()[1];
  conv.in_is_plain = conv.copies_rows();
  conv.end.residual_pitch = conv.out_channels;
  conv.end.activation = parse_activation(call.attr<std::string>("activation"));
  conv.end.alpha = static_cast<float>(call.attr<double>("alpha"));
  conv.threads = worthwhile_threads(work_of(call), thread_limit());
  return conv;
}

WinogradConv winograd_of(const WindowConv& window, int64_t patch) {
  WinogradConv conv;
  conv.simd = window.simd;
  conv.patch = patch;
  conv.images = window.images;
  conv.in_height = window.window.y.input;
  conv.in_width = window.window.x.input;
  conv.in_channels = window.in_channels;
  conv.in_pitch = window.in_pitch;
  conv.out_height = window.window.y.output;
  conv.out_width = window.window.x.output;
  conv.out_channels = window.out_channels;
  conv.out_pitch = window.out_pitch;
  conv.pad_top = window.window.y.pad_begin;
  conv.pad_left = window.window.x.pad_begin;
  conv.end = window.end;
  conv.threads = window.threads;
  return conv;
}

Support packed_conv_supports(const OpCall& call) {
  if (Support support = channels_last_supports(call); !support.ok) return support;
  if (call.shape(0)[1] != call.shape(1)[1]) return Support::no("it computes one group only");
  if (!is_constant(call, 1)) return Support::no("its weights are packed when compiled");
  if (call.shape(1)[0] < 16) return Support::no("made for 16 output channels and more");
  if (Support support = fused_shapes_fit(call, call.shape(1)[0]); !support.ok) return support;
  return ends_in_tiles(call);
}

Packing fastest_packing(const OpCall& call, Simd simd, bool packs_every_run) {
  const Window window = conv_window(call);
  if (!is_unit(window.y) || !is_unit(window.x)) return Packing::kTiles;
  const Shape& weight = call.shape(1);
  if (weight[0] < 16 || weight[1] < 16) return Packing::kTiles;
  constexpr double kBytesPerCycle = 4;
  constexpr double kTileOverhead = 1.4;     // measured: cycles of a tile to those of its products
  constexpr double kTransformCycles = 2.5;  // of a vector of channels at one point, both ways
  const double vectors = static_cast<double>(lanes(simd));
  const int64_t images = call.shape(0)[0];
  const double products = static_cast<double>(weight[0] * weight[1]);
  constexpr double kPackingCycles = 10;  // of a vector of packed weights
  const auto cycles = [&](int64_t rows, int64_t points) {
    const double all = static_cast<double>(points) * products;  // weights
    const double packing = packs_every_run ? all / vectors * kPackingCycles : 0;
    const double read = packs_every_run ? 9 * products : all;
    return packing + std::max(static_cast<double>(rows) * all / (2 * vectors) * kTileOverhead,
                              read * sizeof(float) / kBytesPerCycle);
  };
  Packing fastest = Packing::kTiles;
  double least = cycles(images * window.y.output * window.x.output, 9);
  for (const Packing packing : {Packing::kWinograd4, Packing::kWinograd2}) {
    const int64_t patch = winograd_patch(packing);
    const int64_t points = winograd_points(patch);
    const int64_t patches =
        images * ((window.y.output + patch - 1) / patch) * ((window.x.output + patch - 1) / patch);
    const double transforms = static_cast<double>(patches * points * (weight[0] + weight[1])) /
                              vectors * kTransformCycles;
    const double all = cycles(patches, points) + transforms;
    if (all < least) fastest = packing;
    least = std::min(least, all);
  }
  return fastest;
}

std::unique_ptr<PreparedKernel> prepare_packed_conv(const OpCall& call, Packing packing) {
  const Simd simd = packing == Packing::kPairs ? pair_simd() : available_simd();
  return std::make_unique<PreparedConv>(call, conv_of(call, simd),
                                        PackedWeights(simd, call.shape(1), packing));
}

}  // namespace tessera::internal
