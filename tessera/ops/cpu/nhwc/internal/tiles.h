// Products of pixels and weights in registers: the inner loop of the convolutions of this folder.
//
// Activations lie channels last (NHWC): a pixel is a run of channels. A tile is a few pixels by up
// to four vectors of output channels (a panel); it stays in registers while the loop walks over the
// taps of the window and the channels of each. Weights are packed panel by panel, as they are read:
// [panel][tap][input channel][output channel in the panel], zeros beyond the last channel.
#pragma once

#include <cstdint>
#include <vector>

#include "tessera/ops/cpu/internal/direct.h"
#include "tessera/ops/internal/activation.h"

namespace tessera::internal {

/// Pixels that a tile has at most, over all kinds of panels.
inline constexpr int kMostTileRows = 14;

/// What follows the sums of a tile. Bias and residual may be null.
struct TileEnd {
  const float* bias = nullptr;  // of the panel's first channel on
  const float* residual = nullptr;
  int64_t residual_pitch = 0;                 // from pixel to pixel
  Activation activation = Activation::kNone;  // or kRelu, kRelu6, kLeakyRelu
  float alpha = 0;
};

/// What a tile fetches into the second cache while it computes: what the tiles after it need. The
/// lines of the two places every few steps of the loop.
struct Ahead {
  const char* first = nullptr;
  int64_t first_step = 0;  // bytes from one fetch to the next; 0: nothing to fetch
  const char* second = nullptr;
  int64_t second_step = 0;
};

/// One tile: out[row][channel] = end(sum over tap, k of rows[tap * row_pitch + row][k] * weights);
/// or a part of the sum, which goes on from what `partial` has and is left there.
struct Tile {
  const float* const* rows = nullptr;  // [tap][row]: where a row's tap begins
  int64_t row_pitch = 0;               // pointers from tap to tap
  int64_t taps = 1;
  int64_t first = 0;  // of the floats of a tap
  int64_t inner = 0;  // how many of them
  const float* weights = nullptr;
  float* partial = nullptr;  // [row][channel of the panel]
  bool begins = true;        // the sum, from zero
  bool ends = true;
  float* out = nullptr;
  int64_t out_pitch = 0;
  int64_t columns = 0;  // channels of the panel that are there
  TileEnd end;
  Ahead ahead;
};

/// How output channels are cut into panels: even ones, of at most four vectors.
struct Panels {
  struct Panel {
    int64_t begin = 0;    // first channel
    int64_t columns = 0;  // channels that are there
    int vectors = 0;
  };

  /// `inner`: products that are added up for a result. Panels are narrower where it is large: one
  /// and the next together stay in the second cache.
  Panels(Simd simd, int64_t channels, int64_t inner);
  /// Channels of all panels together, with the zeros beyond the last one.
  int64_t width() const { return width_; }
  /// Before panel `p`.
  int64_t width_before(size_t p) const { return offsets_[p]; }
  /// Channels of panel `p`, with its zeros.
  int64_t width_of(size_t p) const { return panels_[p].vectors * lanes(simd_); }
  size_t size() const { return panels_.size(); }
  Simd simd() const { return simd_; }
  const Panel& operator[](size_t p) const { return panels_[p]; }
  /// Pixels of a tile at most, for panel `p` and for all panels.
  int64_t most_rows(size_t p) const;
  int64_t most_rows() const;

 private:
  Simd simd_;
  int64_t width_ = 0;
  std::vector<Panel> panels_;
  std::vector<int64_t> offsets_;
};

/// A float wherever it lies: tensors of a mapped file begin at any byte.
using LooseFloat = float __attribute__((aligned(1), may_alias));

/// Weights [o,i,h,w] before they are packed, each output channel's to be multiplied by its scale
/// (null: 1).
struct RawWeights {
  const LooseFloat* weights = nullptr;
  const float* scale = nullptr;

  float scale_of(int64_t o) const { return scale == nullptr ? 1.0F : scale[o]; }
};

/// Eight runs of eight floats, `from_pitch` apart and each times its scale, as columns: to[i] takes
/// element i of every run.
void transpose8(const LooseFloat* from, int64_t from_pitch, const float* scales, float* const* to);

/// Fetching part `i` of `parts` of some bytes, evenly over the `steps` of a tile's loop. All at
/// once would keep the tile itself from its data.
Ahead fetch_part(const LooseFloat* from, int64_t bytes, int64_t i, int64_t parts, int64_t steps);

using TileKernel = void (*)(const Tile&);
/// The loop for `rows` pixels (1 to most_rows) by a panel of `vectors` vectors.
TileKernel tile_kernel(Simd simd, int64_t rows, int vectors);
/// The same where floats of pixels and weights are pairs of bf16, whose products are both added:
/// kAvx512 by the instruction for it, kAvx2 by f32's.
TileKernel pair_tile_kernel(Simd simd, int64_t rows, int vectors);

}  // namespace tessera::internal
