#include "tessera/ops/cpu/internal/exact.h"

#include <array>
#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define TESSERA_UNROLL _Pragma("unroll")
#else
#define TESSERA_UNROLL _Pragma("GCC unroll 32")
#endif

namespace tessera::internal {
namespace {

/// The pixels of a panel whose windows are neighbours in memory.
struct PixelRuns {
  int count = 0;
  std::array<int64_t, kPanel> lanes{};
  std::array<int64_t, kPanel> firsts{};
};

}  // namespace

#if defined(__x86_64__)
namespace avx2 {
namespace {
#define TESSERA_LANES 8
#define TESSERA_ROWS 6
#define TESSERA_REGISTERS 16
#define TESSERA_TARGET __attribute__((target("avx2,fma")))
using Vector = __m256;
TESSERA_TARGET inline void load(Vector& to, const float* from) {
  to = _mm256_loadu_ps(from);
}
TESSERA_TARGET inline void store(float* to, const Vector& from) {
  _mm256_storeu_ps(to, from);
}
TESSERA_TARGET inline void repeat(Vector& to, float value) {
  to = _mm256_set1_ps(value);
}
TESSERA_TARGET inline void fma(Vector& sum, const Vector& a, const Vector& b) {
  sum = _mm256_fmadd_ps(a, b, sum);
}
#include "tessera/ops/cpu/internal/exact_body.inc"
#undef TESSERA_LANES
#undef TESSERA_ROWS
#undef TESSERA_REGISTERS
#undef TESSERA_TARGET
}  // namespace
}  // namespace avx2

namespace avx512 {
namespace {
#define TESSERA_LANES 16
#define TESSERA_ROWS 12
#define TESSERA_REGISTERS 32
#define TESSERA_TARGET __attribute__((target("avx512f,avx2,fma")))
using Vector = __m512;
TESSERA_TARGET inline void load(Vector& to, const float* from) {
  to = _mm512_loadu_ps(from);
}
TESSERA_TARGET inline void store(float* to, const Vector& from) {
  _mm512_storeu_ps(to, from);
}
TESSERA_TARGET inline void repeat(Vector& to, float value) {
  to = _mm512_set1_ps(value);
}
TESSERA_TARGET inline void fma(Vector& sum, const Vector& a, const Vector& b) {
  sum = _mm512_fmadd_ps(a, b, sum);
}
#include "tessera/ops/cpu/internal/exact_body.inc"

/// As copy_runs, but puts the runs together in a register.
template <int count>
TESSERA_TARGET void merge_runs(const Windows& windows, const float* image, const PixelRuns& runs,
                               float* to) {
  const float* from[count];
  __mmask16 masks[count];
  for (size_t i = 0; i < count; ++i) {
    from[i] = image + runs.firsts[i] - runs.lanes[i];
    masks[i] = static_cast<__mmask16>(0xffffU << runs.lanes[i]);
  }
  for (const int64_t tap : windows.taps) {
    __m512 panel = _mm512_loadu_ps(from[0] + tap);
    TESSERA_UNROLL
    for (int i = 1; i < count; ++i) {
      panel = _mm512_mask_loadu_ps(panel, masks[i], from[i] + tap);
    }
    _mm512_storeu_ps(to, panel);
    to += kPanel;
  }
}
#undef TESSERA_LANES
#undef TESSERA_ROWS
#undef TESSERA_REGISTERS
#undef TESSERA_TARGET
}  // namespace
}  // namespace avx512
#endif

namespace scalar {
namespace {
#define TESSERA_LANES 1
#define TESSERA_ROWS 4
#define TESSERA_REGISTERS 128
#define TESSERA_TARGET
using Vector = float;
inline void load(Vector& to, const float* from) {
  to = *from;
}
inline void store(float* to, const Vector& from) {
  *to = from;
}
inline void repeat(Vector& to, float value) {
  to = value;
}
inline void fma(Vector& sum, const Vector& a, const Vector& b) {
  sum = std::fma(a, b, sum);
}
#include "tessera/ops/cpu/internal/exact_body.inc"
#undef TESSERA_LANES
#undef TESSERA_ROWS
#undef TESSERA_REGISTERS
#undef TESSERA_TARGET
}  // namespace
}  // namespace scalar

namespace {

using scalar::TileSums;

TileSums widest_tile(Simd simd, int64_t rows, int64_t left, int64_t& panels) {
#if defined(__x86_64__)
  if (simd == Simd::kAvx512) return avx512::widest_tile(rows, left, panels);
  if (simd == Simd::kAvx2) return avx2::widest_tile(rows, left, panels);
#endif
  (void)simd;
  return scalar::widest_tile(rows, left, panels);
}

/// One row of a result: its sums, what is added, and where it goes.
struct EndedRow {
  const float* sums = nullptr;
  const float* bias = nullptr;
  const float* residual = nullptr;
  float* out = nullptr;
  int64_t count = 0;
};

/// The activation is the function that the op of its name computes, so that it rounds alike whether
/// it is fused or not.
template <Activation kActivation>
void end_row(const ExactEnd& end, const EndedRow& row) {
  const auto [sums, bias, residual, out, count] = row;
  const float row_bias = end.bias_of_rows && bias != nullptr ? *bias : 0.0F;
  for (int64_t j = 0; j < count; ++j) {
    float value = sums[j];
    if (bias != nullptr) value += end.bias_of_rows ? row_bias : bias[j];
    if (residual != nullptr) value += residual[j];
    out[j] = activate(kActivation, end.alpha, value);
  }
}

using EndRow = void (*)(const ExactEnd&, const EndedRow&);

EndRow end_of(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return end_row<Activation::kNone>;
    case Activation::kRelu:
      return end_row<Activation::kRelu>;
    case Activation::kRelu6:
      return end_row<Activation::kRelu6>;
    case Activation::kLeakyRelu:
      return end_row<Activation::kLeakyRelu>;
    case Activation::kGelu:
      return end_row<Activation::kGelu>;
    case Activation::kSigmoid:
      return end_row<Activation::kSigmoid>;
    case Activation::kTanh:
      return end_row<Activation::kTanh>;
  }
  return end_row<Activation::kNone>;
}

/// Rows and columns of a result, and the sums of them that are at hand.
struct Block {
  int64_t row = 0;
  int64_t rows = 0;
  int64_t column = 0;
  int64_t columns = 0;
  const float* sums = nullptr;
  int64_t width = 0;  // from one row of the sums to the next
};

void end_block(const ExactProduct& product, const Block& block) {
  const EndRow end_row = end_of(product.end.activation);
  for (int64_t r = 0; r < block.rows; ++r) {
    const int64_t at = (block.row + r) * product.row_stride + block.column;
    const float* bias = product.end.bias;
    if (bias != nullptr) bias += product.end.bias_of_rows ? block.row + r : block.column;
    const float* residual = product.end.residual;
    if (residual != nullptr) residual += at;
    end_row(product.end,
            {block.sums + r * block.width, bias, residual, product.out + at, block.columns});
  }
}

/// One tile of rows by panels [first, last).
void run_tile(const ExactProduct& product, const RowTiles& tiles, int64_t tile, int64_t first,
              int64_t last) {
  alignas(64) std::array<float, 512> sums;  // of the largest tile
  Block block;
  block.row = tiles.begin(tile);
  block.rows = tiles.begin(tile + 1) - block.row;
  block.sums = sums.data();
  for (int64_t panels = 0; first < last; first += panels) {
    const TileSums compute = widest_tile(product.simd, block.rows, last - first, panels);
    compute(product.inner, product.a + block.row * product.inner,
            product.b + first * kPanel * product.inner, sums.data());
    block.column = first * kPanel;
    block.columns = std::min(panels * kPanel, product.columns - block.column);
    block.width = panels * kPanel;
    end_block(product, block);
  }
}

/// The runs of the panel whose first pixel is `pixel`. Lanes beyond the last pixel go on with the
/// last run: what they hold is never looked at.
PixelRuns runs_of(const Windows& windows, int64_t pixel) {
  PixelRuns runs;
  int64_t next = -1;  // where the pixel lies that would go on with the run
  const int64_t lanes = std::min(kPanel, windows.pixels - pixel);
  int64_t y = pixel / windows.out_width;
  int64_t x = pixel % windows.out_width;
  for (int64_t lane = 0; lane < lanes;) {
    const int64_t first = y * windows.row_step + x * windows.column_step;
    if (first != next) {
      runs.lanes[static_cast<size_t>(runs.count)] = lane;
      runs.firsts[static_cast<size_t>(runs.count)] = first;
      ++runs.count;
    }
    const int64_t length =
        windows.column_step == 1 ? std::min(lanes - lane, windows.out_width - x) : 1;
    next = first + length;
    lane += length;
    x += length;
    if (x == windows.out_width) {
      x = 0;
      ++y;
    }
  }
  return runs;
}

using CopyRuns = void (*)(const Windows&, const float*, const PixelRuns&, float*);
constexpr int kMostRuns = 4;  // with more of them, lane by lane is as fast

CopyRuns copy_of(Simd simd, int runs) {
  const auto at = static_cast<size_t>(runs - 1);
#if defined(__x86_64__)
  if (simd == Simd::kAvx512) {
    return std::array{avx512::merge_runs<1>, avx512::merge_runs<2>, avx512::merge_runs<3>,
                      avx512::merge_runs<4>}[at];
  }
  if (simd == Simd::kAvx2) {
    return std::array{avx2::copy_runs<1>, avx2::copy_runs<2>, avx2::copy_runs<3>,
                      avx2::copy_runs<4>}[at];
  }
#endif
  (void)simd;
  return std::array{scalar::copy_runs<1>, scalar::copy_runs<2>, scalar::copy_runs<3>,
                    scalar::copy_runs<4>}[at];
}

}  // namespace

int64_t most_rows(Simd simd) {
  switch (simd) {
    case Simd::kAvx512:
      return 12;
    case Simd::kAvx2:
      return 6;
    case Simd::kNone:
      break;
  }
  return 4;
}

void pack_tiles(const MatrixView<float>& a, const RowTiles& tiles, int64_t first, int64_t last,
                float* packed) {
  for (int64_t tile = first; tile < last; ++tile) {
    const int64_t begin = tiles.begin(tile);
    const int64_t rows = tiles.begin(tile + 1) - begin;
    const float* from = a.data + begin * a.row_stride;
    float* to = packed + begin * a.columns;
    for (int64_t k = 0; k < a.columns; ++k, from += a.column_stride) {
      for (int64_t r = 0; r < rows; ++r) *to++ = from[r * a.row_stride];
    }
  }
}

void pack_panels(const MatrixView<float>& b, int64_t first, int64_t last, float* packed) {
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t columns = std::min(kPanel, b.columns - panel * kPanel);
    const float* from = b.data + panel * kPanel * b.column_stride;
    float* to = packed + panel * kPanel * b.rows;
    for (int64_t k = 0; k < b.rows; ++k, from += b.row_stride, to += kPanel) {
      for (int64_t j = 0; j < columns; ++j) to[j] = from[j * b.column_stride];
      std::fill(to + columns, to + kPanel, 0.0F);
    }
  }
}

void run_exact(const ExactProduct& product, const RowTiles& tiles, int64_t first_tile,
               int64_t last_tile) {
  // As many tiles at a time as stay in the second cache while all panels pass by.
  constexpr int64_t kCachedFloats = 128 * 1024;
  const int64_t most = most_rows(product.simd);
  const int64_t chunk = std::max<int64_t>(1, kCachedFloats / (most * product.inner + 1));
  const int64_t panels = panel_count(product.columns);
  for (; first_tile < last_tile; first_tile += chunk) {
    const int64_t last = std::min(first_tile + chunk, last_tile);
    const int64_t rows = tiles.begin(first_tile + 1) - tiles.begin(first_tile);
    for (int64_t panel = 0, group = 0; panel < panels; panel += group) {
      (void)widest_tile(product.simd, rows, panels - panel, group);
      for (int64_t tile = first_tile; tile < last; ++tile) {
        run_tile(product, tiles, tile, panel, panel + group);
      }
    }
  }
}

void pack_windows(const Windows& windows, const float* image, int64_t first, int64_t last,
                  float* packed) {
  const auto inner = static_cast<int64_t>(windows.taps.size());
  for (int64_t panel = first; panel < last; ++panel, packed += inner * kPanel) {
    const PixelRuns runs = runs_of(windows, panel * kPanel);
    if (runs.count <= kMostRuns) {
      copy_of(windows.simd, runs.count)(windows, image, runs, packed);
      continue;
    }
    // Mostly runs of one pixel, as with a stride: lane by lane. Lanes beyond the last pixel repeat
    // the last run.
    std::array<int64_t, kPanel> firsts{};
    for (int lane = 0, run = 0; lane < kPanel; ++lane) {
      if (run + 1 < runs.count && runs.lanes[static_cast<size_t>(run) + 1] == lane) ++run;
      const auto at = static_cast<size_t>(run);
      firsts[static_cast<size_t>(lane)] = runs.firsts[at] + lane - runs.lanes[at];
    }
    float* to = packed;
    for (const int64_t tap : windows.taps) {
      for (const int64_t at : firsts) *to++ = image[tap + at];
    }
  }
}

}  // namespace tessera::internal
