// Products of matrices whose result does not depend on how the work is cut: every element is one
// chain acc = fma(a[k], b[k], acc) from acc = 0 over ascending k, then + bias, + residual and the
// activation, each rounded to float. Rows, columns, tiles, threads and the length of the
// processor's vectors decide who computes an element, never how.
//
// Operands are packed: `a` in tiles of up to most_rows() rows as [tile][k][row], `b` in panels of
// kPanel columns as [panel][k][column], zeros beyond the last column.
#pragma once

#include <algorithm>
#include <vector>

#include "tessera/ops/cpu/internal/direct.h"
#include "tessera/ops/internal/matrix.h"

namespace tessera::internal {

inline constexpr int64_t kPanel = 16;
/// Rows that a tile keeps in registers at most. Without vectors std::fma computes, slowly.
int64_t most_rows(Simd simd);

inline int64_t panel_count(int64_t columns) {
  return (columns + kPanel - 1) / kPanel;
}

/// Even tiles of rows: tile t holds rows [begin(t), begin(t + 1)), and its packed elements begin at
/// begin(t) * inner.
struct RowTiles {
  int64_t rows = 0;
  int64_t count = 0;

  RowTiles(int64_t all_rows, Simd simd)
      : rows(all_rows), count((all_rows + most_rows(simd) - 1) / most_rows(simd)) {}
  int64_t begin(int64_t tile) const { return count == 0 ? 0 : rows * tile / count; }
};

/// Packs tiles [first, last) of `a` into `packed`, which holds all tiles.
void pack_tiles(const MatrixView<float>& a, const RowTiles& tiles, int64_t first, int64_t last,
                float* packed);
/// Packs panels [first, last) of `b` into `packed`, which holds all panels.
void pack_panels(const MatrixView<float>& b, int64_t first, int64_t last, float* packed);

/// What follows the sum. Bias and residual may be null.
struct ExactEnd {
  Activation activation = Activation::kNone;
  double alpha = 0;
  bool bias_of_rows = false;  // one bias per row, else one per column
  const float* bias = nullptr;
  const float* residual = nullptr;  // lies as the result does
};

struct ExactProduct {
  Simd simd = Simd::kNone;
  int64_t inner = 0;         // how long a chain is
  const float* a = nullptr;  // all packed tiles
  const float* b = nullptr;  // panels, the first of which holds column 0 of `out`
  float* out = nullptr;
  int64_t columns = 0;
  int64_t row_stride = 0;  // of `out` and the residual
  ExactEnd end;
};
/// Computes the elements of these tiles and of all columns.
void run_exact(const ExactProduct& product, const RowTiles& tiles, int64_t first_tile,
               int64_t last_tile);

/// The windows of a convolution as columns of a matrix: element (k, pixel) of the panels is
/// image[taps[k] + first element of the pixel's window].
struct Windows {
  Simd simd = Simd::kNone;
  std::vector<int64_t> taps;  // offsets in the image of the elements of a window
  int64_t pixels = 0;
  int64_t out_width = 0;
  int64_t row_step = 0;     // from a pixel's window to that of the pixel below
  int64_t column_step = 0;  // to that of the pixel on the right
};
/// Packs the panels of pixels [16 * first, 16 * last). Behind `image` and `packed` there must be
/// room for kPanel more floats.
void pack_windows(const Windows& windows, const float* image, int64_t first, int64_t last,
                  float* packed);

}  // namespace tessera::internal
