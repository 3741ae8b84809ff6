#include "tessera/ops/cpu/raw/internal/raw_conv.h"

#include <algorithm>

#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/nhwc/internal/channels_last.h"
#include "tessera/ops/cpu/nhwc/internal/conv_kernel.h"
#include "tessera/ops/cpu/nhwc/internal/scratch.h"
#include "tessera/ops/cpu/raw/internal/dot.h"
#include "tessera/ops/cpu/raw/internal/stored_weights.h"
#include "tessera/ops/internal/fused.h"

namespace tessera::internal {
namespace {

/// The window of one result, in the order of the weights: [i,h,w].
void copy_window(const WindowConv& conv, const float* in, int64_t pixel, float* to) {
  const WindowDim& dim_y = conv.window.y;
  const WindowDim& dim_x = conv.window.x;
  const int64_t image = pixel / conv.out_pixels();
  const int64_t top = dim_y.begin(pixel % conv.out_pixels() / dim_x.output);
  const int64_t left = dim_x.begin(pixel % dim_x.output);
  const int64_t taps = conv.taps();
  for (int64_t p = 0; p < dim_y.kernel; ++p) {
    const int64_t y = top + p * dim_y.dilation;
    for (int64_t q = 0; q < dim_x.kernel; ++q, ++to) {
      const int64_t x = left + q * dim_x.dilation;
      const bool inside = y >= 0 && y < dim_y.input && x >= 0 && x < dim_x.input;
      const float* from = in + ((image * dim_y.input + y) * dim_x.input + x) * conv.in_pitch;
      for (int64_t c = 0; c < conv.in_channels; ++c) to[c * taps] = inside ? from[c] : 0.0F;
    }
  }
}

class RawConv final : public ChannelsLastKernel {
 public:
  RawConv(const OpCall& call, const WindowConv& conv, Packing packing)
      : ChannelsLastKernel(call, formats_of(call)),
        conv_(conv),
        patch_(winograd_patch(packing)),
        has_bias_(call.operand_count() > kBiasOperand),
        has_residual_(call.operand_count() > kResidualOperand) {}

  std::string detail() const override {
    const std::string loop = patch_ > 0 ? fmt::format("winograd{} ", patch_) : "";
    return loop + std::string(to_string(conv_.simd));
  }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    if (results[0].ndim() == 4) conv_.out_pitch = out_pitch_;
    conv_.end.bias = has_bias_ ? in(operands, kBiasOperand) : nullptr;
    conv_.end.residual = has_residual_ ? in(operands, kResidualOperand) : nullptr;
    const std::byte* packed = operands[1].buffer()->data() + operands[1].byte_offset();
    const RawWeights raw = StoredWeights::of(packed);
    if (patch_ == 0) return run_raw_conv(conv_, in(operands, 0), raw, out(results));
    const Panels panels(conv_.simd, conv_.out_channels, conv_.in_channels);
    run_winograd(winograd_of(conv_, patch_), panels, in(operands, 0), raw, out(results));
  }

 private:
  static std::vector<Format> formats_of(const OpCall& call) {
    std::vector<Format> formats(call.operand_count());
    formats[1] = std::make_shared<StoredWeights>(call.shape(1)[0]);
    const auto lies_last = [](const Shape& shape) {
      return shape.size() == 4 ? channels_last(shape) : nullptr;
    };
    formats[0] = lies_last(call.shape(0));
    if (call.operand_count() > kResidualOperand)
      formats[kResidualOperand] = lies_last(call.results[0].shape());
    return formats;
  }

  WindowConv conv_;
  int64_t patch_;  // of Winograd's, or 0
  bool has_bias_;
  bool has_residual_;
};

}  // namespace

Support raw_supports(const Shape& weight, int64_t pixels) {
  constexpr int64_t kLarge = int64_t{1} << 14;
  constexpr int64_t kFew = 1024;
  if (available_simd() == Simd::kNone) return Support::no("the processor has no AVX2 or AVX-512");
  if (weight[0] % kDotOuts != 0) return Support::no("it computes four output channels at a time");
  if (element_count(weight) < kLarge) return Support::no("made for 16384 weights and more");
  if (pixels > kFew) return Support::no("made for 1024 pixels at most");
  return Support::yes();
}

std::unique_ptr<PreparedKernel> prepare_raw_conv(const OpCall& call, const WindowConv& conv,
                                                 Packing packing) {
  return std::make_unique<RawConv>(call, conv, packing);
}

void run_raw_conv(const WindowConv& conv, const float* in, const RawWeights& raw, float* out) {
  constexpr int64_t kPaysPacking = 3 * kDotPixels;
  const int64_t pixels = conv.images * conv.out_pixels();
  const int64_t length = conv.in_channels * conv.taps();
  if (pixels >= kPaysPacking && !conv.copies_rows()) {
    const Panels panels(conv.simd, conv.out_channels, length);
    return run_window_conv(conv, panels, in, raw, out);
  }
  const float* rows = in;
  int64_t row_pitch = conv.in_pitch;
  if (!conv.is_pointwise()) {
    float* windows = scratch(pixels * length);
    parallel_parts(pixels, kPartsPerThread * conv.threads, conv.threads,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t pixel = begin; pixel < end; ++pixel)
                       copy_window(conv, in, pixel, windows + pixel * length);
                   });
    rows = windows;
    row_pitch = length;
  }
  // So many pixels that they stay in the second cache while the weights go by.
  const int64_t fitting = second_cache() / 2 / (length * int64_t{sizeof(float)});
  const int64_t block = std::max<int64_t>(fitting / kDotPixels, 1) * kDotPixels;
  const DotKernel run = dot_kernel(conv.simd);
  const int64_t tiles = conv.out_channels / kDotOuts;
  const auto run_tile = [&](int64_t begin, int64_t end, int64_t o) {
    DotTile tile;
    tile.weights = raw.weights + o * length;
    tile.length = length;
    tile.scale = raw.scale + o;
    tile.out_pitch = conv.out_pitch;
    tile.end = conv.end;
    if (tile.end.bias != nullptr) tile.end.bias += o;
    for (int64_t first = begin; first < end; first += kDotPixels) {
      tile.count = std::min<int64_t>(kDotPixels, end - first);
      for (int64_t p = 0; p < tile.count; ++p) tile.pixels[p] = rows + (first + p) * row_pitch;
      tile.out = out + first * conv.out_pitch + o;
      if (conv.end.residual != nullptr)
        tile.end.residual = conv.end.residual + first * conv.end.residual_pitch + o;
      run(tile);
    }
  };
  parallel_parts(tiles, kPartsPerThread * conv.threads, conv.threads,
                 [&](int64_t first, int64_t last) {
                   for (int64_t begin = 0; begin < pixels; begin += block) {
                     const int64_t end = std::min(begin + block, pixels);
                     for (int64_t t = first; t < last; ++t) run_tile(begin, end, t * kDotOuts);
                   }
                 });
}

}  // namespace tessera::internal
