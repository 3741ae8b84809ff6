// Convolutions channels last against sums in double, on every kind of vectors that this processor
// has, with whatever shapes, pitches, ends and numbers of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "tessera/ops/cpu/bf16/internal/pairs.h"
#include "tessera/ops/cpu/nhwc/internal/conv_kernel.h"
#include "tessera/ops/cpu/raw/internal/dot.h"
#include "tessera/ops/cpu/raw/internal/raw_conv.h"

namespace tessera::internal {
namespace {

struct Case {
  WindowConv conv;
  std::vector<float> in, weights, bias, residual;
};

class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  int64_t between(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }
  std::vector<float> floats(int64_t count) {
    std::normal_distribution<float> normal;
    std::vector<float> made(static_cast<size_t>(count));
    for (float& value : made) value = normal(random_);
    return made;
  }
  WindowDim dim(int64_t kernel, int64_t stride) {
    WindowDim dim;
    dim.kernel = kernel;
    dim.stride = stride;
    dim.dilation = kernel > 1 && stride == 1 ? between(1, 2) : 1;
    dim.pad_begin = between(0, kernel - 1);
    dim.pad_end = between(0, kernel - 1);
    const int64_t span = (kernel - 1) * dim.dilation + 1;
    dim.input = between(span, span + 13);
    dim.output = (dim.input + dim.pad_begin + dim.pad_end - span) / stride + 1;
    return dim;
  }

  Case conv(Simd simd, bool for_winograd) {
    Case made;
    WindowConv& conv = made.conv;
    conv.simd = simd;
    const int64_t kernel = for_winograd ? 3 : between(1, 4);
    const int64_t stride = for_winograd ? 1 : between(1, 2);
    conv.window = {dim(kernel, stride), dim(kernel, stride)};
    if (for_winograd) conv.window = {undilated(conv.window.y), undilated(conv.window.x)};
    conv.images = between(1, 3);
    conv.in_channels = between(1, 40);
    conv.out_channels = between(1, 150);
    conv.in_pitch = conv.in_channels;
    conv.in_is_plain = !for_winograd && conv.copies_rows() && between(0, 1) == 1;
    conv.out_pitch = conv.out_channels + between(0, 1) * 9;
    conv.threads = static_cast<int>(between(1, 3));
    constexpr Activation kEnds[] = {Activation::kNone, Activation::kRelu, Activation::kRelu6,
                                    Activation::kLeakyRelu};
    conv.end.activation = kEnds[between(0, 3)];
    conv.end.alpha = 0.1F;
    made.in = floats(conv.images * conv.window.y.input * conv.window.x.input * conv.in_channels);
    made.weights = floats(conv.out_channels * conv.in_channels * kernel * kernel);
    if (between(0, 1) == 1) made.bias = floats(conv.out_channels);
    if (between(0, 1) == 1)
      made.residual = floats(conv.images * conv.out_pixels() * conv.out_pitch);
    if (!made.bias.empty()) conv.end.bias = made.bias.data();
    if (!made.residual.empty()) conv.end.residual = made.residual.data();
    conv.end.residual_pitch = conv.out_pitch;
    return made;
  }

 private:
  static WindowDim undilated(WindowDim dim) {
    dim.dilation = 1;
    dim.output = dim.input + dim.pad_begin + dim.pad_end - 2;
    return dim;
  }

  std::mt19937 random_;
};

double input_at(const Case& made, int64_t n, int64_t c, int64_t y, int64_t x) {
  const WindowConv& conv = made.conv;
  const int64_t height = conv.window.y.input;
  const int64_t width = conv.window.x.input;
  if (y < 0 || y >= height || x < 0 || x >= width) return 0;
  const int64_t at = conv.in_is_plain ? ((n * conv.in_channels + c) * height + y) * width + x
                                      : ((n * height + y) * width + x) * conv.in_channels + c;
  return made.in[static_cast<size_t>(at)];
}

double wanted_at(const Case& made, int64_t n, int64_t o, int64_t y, int64_t x) {
  const WindowConv& conv = made.conv;
  const WindowDim& dim_y = conv.window.y;
  const WindowDim& dim_x = conv.window.x;
  double sum = made.bias.empty() ? 0 : made.bias[static_cast<size_t>(o)];
  size_t at = static_cast<size_t>(o * conv.in_channels * dim_y.kernel * dim_x.kernel);
  for (int64_t c = 0; c < conv.in_channels; ++c) {
    for (int64_t p = 0; p < dim_y.kernel; ++p) {
      for (int64_t q = 0; q < dim_x.kernel; ++q) {
        sum += made.weights[at++] * input_at(made, n, c, dim_y.begin(y) + p * dim_y.dilation,
                                             dim_x.begin(x) + q * dim_x.dilation);
      }
    }
  }
  if (!made.residual.empty()) {
    const int64_t pixel = (n * dim_y.output + y) * dim_x.output + x;
    sum += made.residual[static_cast<size_t>(pixel * conv.out_pitch + o)];
  }
  return activate(conv.end.activation, conv.end.alpha, sum);
}

/// The largest difference, as a part of what sums of so many products are like; checks that nothing
/// is written beside the channels.
double difference(const Case& made, const std::vector<float>& found) {
  const WindowConv& conv = made.conv;
  double most = 0;
  size_t at = 0;
  for (int64_t n = 0; n < conv.images; ++n) {
    for (int64_t y = 0; y < conv.window.y.output; ++y) {
      for (int64_t x = 0; x < conv.window.x.output; ++x) {
        for (int64_t o = 0; o < conv.out_pitch; ++o, ++at) {
          const double wanted = o < conv.out_channels ? wanted_at(made, n, o, y, x) : 77;
          most = std::max(most, std::abs(wanted - found[at]));
        }
      }
    }
  }
  return most / std::sqrt(static_cast<double>(conv.in_channels * conv.taps()));
}

std::vector<Simd> present() {
  switch (available_simd()) {
    case Simd::kAvx512:
      return {Simd::kAvx2, Simd::kAvx512};
    case Simd::kAvx2:
      return {Simd::kAvx2};
    case Simd::kNone:
      break;
  }
  return {};
}

std::vector<float> packed(const Case& made, const PackedWeights& format) {
  std::vector<float> to(static_cast<size_t>(format.byte_count()) / sizeof(float));
  format.pack({made.weights.data(), nullptr}, to.data());
  return to;
}

PackedWeights format_of(const Case& made, Packing packing) {
  const WindowConv& conv = made.conv;
  return PackedWeights(
      conv.simd, {conv.out_channels, conv.in_channels, conv.window.y.kernel, conv.window.x.kernel},
      packing);
}

std::vector<float> results_of(const Case& made) {
  return std::vector<float>(
      static_cast<size_t>(made.conv.images * made.conv.out_pixels() * made.conv.out_pitch), 77.0F);
}

TEST(Nhwc, WindowsAreSumsOverTheirTaps) {
  for (const Simd simd : present()) {
    for (uint32_t seed = 0; seed < 200; ++seed) {
      const Case made = Maker(seed).conv(simd, false);
      const PackedWeights format = format_of(made, Packing::kTiles);
      std::vector<float> found = results_of(made);
      run_window_conv(made.conv, format.panels(), made.in.data(), packed(made, format).data(),
                      found.data());
      ASSERT_LT(difference(made, found), 5e-6) << "seed " << seed << " " << to_string(simd);
    }
  }
}

/// With the instructions for pairs, where they are there, and without.
std::vector<Simd> pair_vectors() {
  if (available_simd() == Simd::kNone) return {};
  if (pair_simd() == Simd::kAvx512) return {Simd::kAvx2, Simd::kAvx512};
  return {Simd::kAvx2};
}

void round_to_bf16(std::vector<float>& values) {
  const Shape shape = {std::ssize(values)};
  const Tensor rounded = Tensor::of<float>(values, shape).cast(DType::kBF16).cast(DType::kF32);
  values.assign(rounded.data<float>().begin(), rounded.data<float>().end());
}

TEST(Nhwc, PairsOfBf16GiveTheSumsOfWhatWasRounded) {
  for (const Simd simd : pair_vectors()) {
    for (uint32_t seed = 0; seed < 200; ++seed) {
      Case made = Maker(seed).conv(simd, false);
      const PackedWeights format = format_of(made, Packing::kPairs);
      const std::vector<float> weights = packed(made, format);
      const PairSource source{.images = made.conv.images,
                              .pixels = made.conv.window.y.input * made.conv.window.x.input,
                              .channels = made.conv.in_channels,
                              .pitch = made.conv.in_pitch,
                              .is_plain = made.conv.in_is_plain};
      std::vector<float> pairs(
          static_cast<size_t>(source.images * source.pixels * pair_count(source.channels)));
      round_to_pairs(source, made.in.data(), pairs.data());
      WindowConv conv = made.conv;
      conv.pairs = true;
      conv.in_channels = conv.in_pitch = pair_count(source.channels);
      conv.in_is_plain = false;
      std::vector<float> found = results_of(made);
      run_window_conv(conv, format.panels(), pairs.data(), weights.data(), found.data());
      round_to_bf16(made.in);
      round_to_bf16(made.weights);
      ASSERT_LT(difference(made, found), 5e-6) << "seed " << seed << " " << to_string(simd);
    }
  }
}

/// Weights as a mapped file has them: at any byte, and nothing behind them.
class Stored {
 public:
  Stored(const std::vector<float>& weights, size_t offset)
      : bytes_(weights.size() * sizeof(float) + offset), offset_(offset) {
    std::memcpy(bytes_.data() + offset, weights.data(), weights.size() * sizeof(float));
  }
  const LooseFloat* floats() const {
    return reinterpret_cast<const LooseFloat*>(bytes_.data() + offset_);
  }

 private:
  std::vector<std::byte> bytes_;
  size_t offset_;
};

/// Each output channel's weights by its scale.
void multiply(std::vector<float>& weights, const std::vector<float>& scale) {
  const size_t filter = weights.size() / scale.size();
  for (size_t i = 0; i < weights.size(); ++i) weights[i] *= scale[i / filter];
}

TEST(Nhwc, StoredWeightsGiveTheSameSumsWhereverTheyLie) {
  for (const Simd simd : present()) {
    int compared = 0;
    for (uint32_t seed = 0; seed < 600; ++seed) {
      Maker maker(seed);
      Case made = maker.conv(simd, false);
      if (made.conv.out_channels % kDotOuts != 0 || made.conv.in_is_plain) continue;
      const std::vector<float> scale = maker.floats(made.conv.out_channels);
      std::vector<float> found = results_of(made);
      const Stored stored(made.weights, seed % 4);
      run_raw_conv(made.conv, made.in.data(), {stored.floats(), scale.data()}, found.data());
      multiply(made.weights, scale);
      ASSERT_LT(difference(made, found), 1e-5) << "seed " << seed << " " << to_string(simd);
      ++compared;
    }
    EXPECT_GT(compared, 50);
  }
}

TEST(Nhwc, WinogradGivesTheSameSums) {
  for (const Simd simd : present()) {
    for (uint32_t seed = 0; seed < 200; ++seed) {
      const Case made = Maker(seed).conv(simd, true);
      const Packing packing = seed % 3 == 0 ? Packing::kWinograd2 : Packing::kWinograd4;
      const PackedWeights format = format_of(made, packing);
      std::vector<float> found = results_of(made);
      run_winograd(winograd_of(made.conv, winograd_patch(packing)), format.panels(), made.in.data(),
                   packed(made, format).data(), found.data());
      ASSERT_LT(difference(made, found), 6e-5) << "seed " << seed << " " << to_string(simd);
    }
  }
}

TEST(Nhwc, WinogradPacksStoredWeightsAsTheyAreWanted) {
  for (const Simd simd : present()) {
    for (uint32_t seed = 0; seed < 200; ++seed) {
      Maker maker(seed);
      Case made = maker.conv(simd, true);
      const std::vector<float> scale = maker.floats(made.conv.out_channels);
      const Stored stored(made.weights, seed % 4);
      const Packing packing = seed % 3 == 0 ? Packing::kWinograd2 : Packing::kWinograd4;
      std::vector<float> found = results_of(made);
      run_winograd(winograd_of(made.conv, winograd_patch(packing)),
                   format_of(made, packing).panels(), made.in.data(),
                   RawWeights{stored.floats(), scale.data()}, found.data());
      multiply(made.weights, scale);
      ASSERT_LT(difference(made, found), 6e-5) << "seed " << seed << " " << to_string(simd);
    }
  }
}

TEST(Nhwc, PackingScaledIsPackingWhatWasScaled) {
  for (const Simd simd : present()) {
    for (uint32_t seed = 0; seed < 100; ++seed) {
      Maker maker(seed);
      Case made = maker.conv(simd, seed % 2 == 0);
      const std::vector<float> scale = maker.floats(made.conv.out_channels);
      const Packing winograd = seed % 4 == 0 ? Packing::kWinograd2 : Packing::kWinograd4;
      const PackedWeights format = format_of(made, seed % 2 == 0 ? winograd : Packing::kTiles);
      std::vector<float> found(static_cast<size_t>(format.byte_count()) / sizeof(float), 77.0F);
      format.pack({made.weights.data(), scale.data()}, found.data());
      multiply(made.weights, scale);
      ASSERT_EQ(found, packed(made, format)) << "seed " << seed << " " << to_string(simd);
    }
  }
}

TEST(Nhwc, PanelsHoldEveryChannelOnce) {
  for (const Simd simd : {Simd::kAvx2, Simd::kAvx512}) {
    for (int64_t channels = 1; channels < 300; ++channels) {
      for (const int64_t inner : {1, 64, 5000}) {
        const Panels panels(simd, channels, inner);
        int64_t next = 0;
        for (size_t p = 0; p < panels.size(); ++p) {
          EXPECT_EQ(panels[p].begin, next);
          EXPECT_EQ(panels.width_before(p), next);
          EXPECT_GT(panels[p].columns, 0);
          EXPECT_LE(panels[p].columns, panels[p].vectors * lanes(simd));
          next += panels[p].columns;
        }
        EXPECT_EQ(next, channels);
        EXPECT_LT(panels.width() - channels, lanes(simd));
      }
    }
  }
}

}  // namespace
}  // namespace tessera::internal
