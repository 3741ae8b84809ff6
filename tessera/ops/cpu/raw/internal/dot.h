// Products of pixels and weights whose factors both lie in a row: dots of rows. Weights are read as
// a checkpoint has them, [o][i,h,w], so that nothing is packed before the first run.
#pragma once

#include <cstdint>

#include "tessera/ops/cpu/nhwc/internal/tiles.h"

namespace tessera::internal {

inline constexpr int kDotOuts = 4;    // rows of weights of a tile
inline constexpr int kDotPixels = 6;  // pixels of a tile at most

/// out[p][o] = end(scale[o] * sum over k of pixels[p][k] * weights[o][k]), for four o.
struct DotTile {
  const float* pixels[kDotPixels] = {};
  int64_t count = 0;  // of pixels
  const LooseFloat* weights = nullptr;
  int64_t length = 0;  // of rows
  const float* scale = nullptr;
  float* out = nullptr;
  int64_t out_pitch = 0;
  TileEnd end;
};

using DotKernel = void (*)(const DotTile&);
DotKernel dot_kernel(Simd simd);

}  // namespace tessera::internal
