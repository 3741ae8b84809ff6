// Weights of the convolutions of winograd.h: [o,i,3,3] as a matrix [in channel][out channel in the
// panel] per panel and point.
#pragma once

#include "tessera/ops/cpu/nhwc/internal/tiles.h"

namespace tessera::internal {

/// Points of a patch of so many results in a row, 2 or 4.
constexpr int64_t winograd_points(int64_t patch) {
  return (patch + 2) * (patch + 2);
}

/// Which weights they are: [o, in_channels, 3, 3], for patches of `patch` results in a row.
struct WinogradFilters {
  int64_t in_channels = 0;
  int64_t patch = 4;

  int64_t points() const { return winograd_points(patch); }
};

/// Where the matrices of one panel lie.
struct WinogradPanel {
  const float* weights = nullptr;  // of point 0
  int64_t point_pitch = 0;         // floats from point to point
};

/// All panels, packed once: floats that this takes, the packing, and where a panel is then.
int64_t winograd_weight_size(const Panels& panels, const WinogradFilters& filters);
void pack_winograd_weights(const Panels& panels, const WinogradFilters& filters,
                           const RawWeights& raw, float* packed);
WinogradPanel winograd_panel(const Panels& panels, size_t p, const WinogradFilters& filters,
                             const float* packed);

/// One panel that is packed when it is wanted, on this thread: floats that it takes at most, and
/// the packing.
int64_t winograd_panel_size(const Panels& panels, const WinogradFilters& filters);
WinogradPanel pack_winograd_panel(const Panels& panels, size_t p, const WinogradFilters& filters,
                                  const RawWeights& raw, float* to);

}  // namespace tessera::internal
