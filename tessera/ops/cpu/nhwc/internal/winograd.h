// Convolutions of 3x3 windows with stride 1 by Winograd's F(4x4,3x3): patches of 4x4 results come
// from patches of 6x6 pixels by 36 products instead of 144. Pixels and weights are transformed to
// 36 points each; at every point the channels are multiplied as matrices; the products are
// transformed back. The weights are transformed once. F(2x2,3x3) does the same with patches of 2x2
// results, from 4x4 pixels by 16 products instead of 36: of few pixels it reads fewer weights.
#pragma once

#include <cstdint>

#include "tessera/ops/cpu/nhwc/internal/winograd_weights.h"

namespace tessera::internal {

struct WinogradConv {
  Simd simd = Simd::kNone;
  int64_t patch = 4;  // results of a patch in a row: 2 or 4
  int64_t images = 0;
  int64_t in_height = 0, in_width = 0, in_channels = 0;
  int64_t in_pitch = 0;  // floats from pixel to pixel
  int64_t out_height = 0, out_width = 0, out_channels = 0;
  int64_t out_pitch = 0;
  int64_t pad_top = 0, pad_left = 0;
  TileEnd end;  // bias and residual: of the first channel of the first pixel
  int threads = 1;

  int64_t points() const { return winograd_points(patch); }
  int64_t patch_rows() const { return (out_height + patch - 1) / patch; }
  int64_t patch_columns() const { return (out_width + patch - 1) / patch; }
  int64_t patches() const { return images * patch_rows() * patch_columns(); }
};

/// By weights that are packed (winograd_weights.h), or as they are stored: each panel is packed
/// when it is wanted, to where it stays while its patches go by.
void run_winograd(const WinogradConv& conv, const Panels& panels, const float* in,
                  const float* packed, float* out);
void run_winograd(const WinogradConv& conv, const Panels& panels, const float* in,
                  const RawWeights& raw, float* out);
/// Working memory of a thread, in bytes.
int64_t winograd_scratch(const WinogradConv& conv, const Panels& panels);

}  // namespace tessera::internal
