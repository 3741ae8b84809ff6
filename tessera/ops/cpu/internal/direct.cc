#include "tessera/ops/cpu/internal/direct.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace tessera::internal {

#define TESSERA_SIMD_BODY "tessera/ops/cpu/internal/direct_body.inc"
#include "tessera/ops/cpu/internal/each_simd.inc"

namespace {

Simd detect() {
#if defined(__x86_64__)
  const char* wanted = std::getenv("TESSERA_SIMD");
  const std::string_view limit = wanted == nullptr ? "" : wanted;
  if (limit == "none") return Simd::kNone;
  if (__builtin_cpu_supports("avx512f") && limit != "avx2") return Simd::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Simd::kAvx2;
#endif
  return Simd::kNone;
}

int64_t up(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

}  // namespace

Simd available_simd() {
  static const Simd simd = detect();
  return simd;
}

std::string_view to_string(Simd simd) {
  switch (simd) {
    case Simd::kAvx2:
      return "avx2";
    case Simd::kAvx512:
      return "avx512";
    case Simd::kNone:
      break;
  }
  return "none";
}

void plan_direct_conv(DirectConv& conv) {
  const int64_t width = lanes(conv.simd);
  const int64_t row_vectors = conv.out_channels * up(conv.out_width, width);
  const int64_t channel_vectors = up(conv.out_channels, 16) * (16 / width) * conv.out_width;
  conv.by_rows = conv.stride_x == 1 && conv.out_width >= width && row_vectors <= channel_vectors;
  constexpr int64_t kRowChannels = 6;
  conv.block = conv.by_rows ? up(conv.out_channels, up(conv.out_channels, kRowChannels)) : 16;
  conv.offsets.clear();
  for (int64_t c = 0; c < conv.in_channels; ++c) {
    for (int64_t y = 0; y < conv.kernel_y; ++y) {
      for (int64_t x = 0; x < conv.kernel_x; ++x) {
        conv.offsets.push_back((c * conv.in_height + y * conv.dilation_y) * conv.in_width +
                               x * conv.dilation_x);
      }
    }
  }
}

void pack_weights(DirectConv& conv, const float* weights) {
  const int64_t taps = conv.taps();
  conv.weights.assign(static_cast<size_t>(conv.blocks() * conv.block * taps), 0.0F);
  for (int64_t o = 0; o < conv.out_channels; ++o) {
    float* block = conv.weights.data() + o / conv.block * conv.block * taps + o % conv.block;
    for (int64_t tap = 0; tap < taps; ++tap) block[tap * conv.block] = weights[o * taps + tap];
  }
}

void pack_bias(DirectConv& conv, const float* bias) {
  conv.bias.assign(static_cast<size_t>(conv.blocks() * conv.block), 0.0F);
  if (bias != nullptr) std::copy_n(bias, conv.out_channels, conv.bias.begin());
}

#if defined(__x86_64__)
void run_direct_conv(const DirectConv& conv, const float* image, float* result) {
  if (conv.simd == Simd::kAvx512) {
    (conv.by_rows ? avx512::conv_by_rows : avx512::conv_by_channels)(conv, image, result);
  } else {
    (conv.by_rows ? avx2::conv_by_rows : avx2::conv_by_channels)(conv, image, result);
  }
}

void run_max_pool_2x2(Simd simd, const Planes& planes, const float* image, float* result) {
  (simd == Simd::kAvx512 ? avx512::max_pool_2x2 : avx2::max_pool_2x2)(planes, image, result);
}
#else
// Never called: the kernels say that the processor has no vectors they know.
void run_direct_conv(const DirectConv&, const float*, float*) {}
void run_max_pool_2x2(Simd, const Planes&, const float*, float*) {}
#endif

}  // namespace tessera::internal
