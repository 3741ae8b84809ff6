// Convolutions of any window as sums over its taps, on tiles of pixels by panels of channels.
#pragma once

#include "tessera/ops/cpu/nhwc/internal/tiles.h"
#include "tessera/ops/internal/window.h"

namespace tessera::internal {

struct WindowConv {
  Simd simd = Simd::kNone;
  bool pairs = false;  // of bf16 in the place of every float read: cpu/bf16/internal/pairs.h
  Window window;
  int64_t images = 0;
  int64_t in_channels = 0;
  int64_t in_pitch = 0;      // floats from pixel to pixel
  bool in_is_plain = false;  // [c,h,w] instead, for few channels
  int64_t out_channels = 0;
  int64_t out_pitch = 0;
  TileEnd end;  // bias and residual: of the first channel of the first pixel
  int threads = 1;
  bool copies_few_channels = true;

  int64_t taps() const { return window.y.kernel * window.x.kernel; }
  int64_t out_pixels() const { return window.y.output * window.x.output; }
  /// So few channels that a row of the window is one run of a padded copy: its taps and channels
  /// are one loop.
  bool copies_rows() const {
    return copies_few_channels && in_channels < kFewChannels && window.x.dilation == 1;
  }

  /// Windows of one pixel, side by side.
  bool is_pointwise() const {
    return !copies_rows() && taps() == 1 && window.y.stride == 1 && window.x.stride == 1 &&
           window.y.input == window.y.output && window.x.input == window.x.output;
  }

  static constexpr int64_t kFewChannels = 16;
};

/// `packed`: window_weights.h.
void run_window_conv(const WindowConv& conv, const Panels& panels, const float* in,
                     const float* packed, float* out);
/// The same with weights that are packed panel by panel as they are wanted, in the second cache.
/// conv.copies_rows() and conv.pairs are false.
void run_window_conv(const WindowConv& conv, const Panels& panels, const float* in,
                     const RawWeights& raw, float* out);

}  // namespace tessera::internal
