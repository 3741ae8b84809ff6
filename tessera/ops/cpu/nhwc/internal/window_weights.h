// Weights of convolutions by window_conv.h: [o,i,h,w] as [panel][row of the window][column][i][o in
// the panel].
#pragma once

#include "tessera/ops/cpu/nhwc/internal/tiles.h"

namespace tessera::internal {

/// What a filter has: floats [channels, taps] as they are stored.
struct FilterShape {
  int64_t channels = 0;
  int64_t taps = 0;

  int64_t size() const { return channels * taps; }
};

/// Floats that packing takes.
int64_t window_weight_size(const Panels& panels, int64_t in_channels, int64_t taps);
void pack_window_weights(const Panels& panels, int64_t in_channels, int64_t taps,
                         const RawWeights& raw, float* packed);
/// One panel, on this thread; `to` is where the panel begins.
void pack_panel(const Panels& panels, size_t p, const FilterShape& filter, const RawWeights& raw,
                float* to);

}  // namespace tessera::internal
