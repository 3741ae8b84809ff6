// Kernels of our own for the few channels and small images where oneDNN's blocked formats carry
// mostly padding: row-major in and out, vectors of 8 (AVX2) or 16 floats (AVX-512), as the
// processor has them.
//
// A convolution keeps a tile of results in registers while it walks over the taps (input channel,
// row, column of the window). Tiles are of two kinds:
//   rows      up to 6 channels by 2 vectors of neighbours in x; needs stride 1 and a full vector
//   channels  one pixel after the other by 16 output channels
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tessera/ops/internal/activation.h"

namespace tessera::internal {

enum class Simd : uint8_t { kNone, kAvx2, kAvx512 };
/// What this processor has; TESSERA_SIMD=avx2 or none in the environment asks for less.
Simd available_simd();
std::string_view to_string(Simd simd);
inline int64_t lanes(Simd simd) {
  return simd == Simd::kAvx512 ? 16 : 8;
}

/// A convolution of one image [channels,height,width] that is padded already.
struct DirectConv {
  int64_t in_channels = 0;
  int64_t in_height = 0;
  int64_t in_width = 0;
  int64_t kernel_y = 0;
  int64_t kernel_x = 0;
  int64_t stride_y = 1;
  int64_t stride_x = 1;
  int64_t dilation_y = 1;
  int64_t dilation_x = 1;
  int64_t out_channels = 0;
  int64_t out_height = 0;
  int64_t out_width = 0;
  Activation activation = Activation::kNone;  // or kRelu, kRelu6, kLeakyRelu
  float alpha = 0;

  // Chosen by plan_direct_conv:
  bool by_rows = false;
  int64_t block = 16;            // output channels of a tile
  std::vector<int64_t> offsets;  // per tap from the window's first element
  int64_t taps() const { return in_channels * kernel_y * kernel_x; }
  int64_t blocks() const { return (out_channels + block - 1) / block; }
};

/// Chooses the tiles that need fewer vector operations.
void plan_direct_conv(DirectConv& conv, Simd simd);

/// [o,i,h,w] as the tiles read it: [block of output channels, tap, channel in the block], zeros
/// where a block reaches beyond the last channel.
std::vector<float> pack_weights(const DirectConv& conv, const float* weights);
/// The bias likewise, or zeros where there is none.
std::vector<float> pack_bias(const DirectConv& conv, const float* bias);

/// Convolves one image. `weights` and `bias` are packed.
void run_direct_conv(const DirectConv& conv, Simd simd, const float* image, const float* weights,
                     const float* bias, float* result);

/// Largest of every 2x2 window with stride 2, on `planes` images [height,width]; odd rows and
/// columns at the end are left out.
void run_max_pool_2x2(Simd simd, int64_t planes, int64_t height, int64_t width, const float* image,
                      float* result);

}  // namespace tessera::internal
