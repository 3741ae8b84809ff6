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

/// A convolution of images [channels,height,width] that are padded already.
struct DirectConv {
  Simd simd = Simd::kNone;
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

  // As the tiles read them, zeros where the last block reaches beyond the last channel:
  std::vector<float> weights;  // [block of output channels, tap, channel in the block]
  std::vector<float> bias;     // [block, channel in the block]

  int64_t taps() const { return in_channels * kernel_y * kernel_x; }
  int64_t blocks() const { return (out_channels + block - 1) / block; }
};

/// Chooses the tiles that need fewer vector operations.
void plan_direct_conv(DirectConv& conv);
/// Puts weights [o,i,h,w] and bias [o] (null: zeros) in the order of the tiles.
void pack_weights(DirectConv& conv, const float* weights);
void pack_bias(DirectConv& conv, const float* bias);
/// Convolves one image.
void run_direct_conv(const DirectConv& conv, const float* image, float* result);

/// Images one after the other.
struct Planes {
  int64_t count = 0;
  int64_t height = 0;
  int64_t width = 0;
};
/// The largest of every 2x2 window with stride 2; odd rows and columns at the end are left out.
void run_max_pool_2x2(Simd simd, const Planes& planes, const float* image, float* result);

}  // namespace tessera::internal
