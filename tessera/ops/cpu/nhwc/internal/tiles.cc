#include "tessera/ops/cpu/nhwc/internal/tiles.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tessera/ops/cpu/nhwc/internal/scratch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tessera::internal {

#define TESSERA_PAIRS 0
#define TESSERA_SIMD_BODY "tessera/ops/cpu/nhwc/internal/tiles_body.inc"
#include "tessera/ops/cpu/internal/each_simd.inc"
#undef TESSERA_PAIRS

#if defined(__x86_64__)
namespace avx2_pairs {
namespace {
#define TESSERA_LANES 8
#define TESSERA_PAIRS 1
#define TESSERA_TARGET __attribute__((target("avx2,fma")))
#include "tessera/ops/cpu/nhwc/internal/tiles_body.inc"
#undef TESSERA_LANES
#undef TESSERA_PAIRS
#undef TESSERA_TARGET
}  // namespace
}  // namespace avx2_pairs

namespace avx512_pairs {
namespace {
#define TESSERA_LANES 16
#define TESSERA_PAIRS 1
#define TESSERA_TARGET __attribute__((target("avx512f,avx512bw,avx512bf16,avx2,fma")))
#include "tessera/ops/cpu/nhwc/internal/tiles_body.inc"
#undef TESSERA_LANES
#undef TESSERA_PAIRS
#undef TESSERA_TARGET
}  // namespace
}  // namespace avx512_pairs
#endif

namespace {

constexpr int kMostVectors = 4;
// Sums that fit into the registers beside one pixel and the weights: 32 registers of AVX-512 or 16
// of AVX2.
constexpr std::array<int, kMostVectors + 1> kRows512 = {0, 14, 12, 8, 6};
constexpr std::array<int, kMostVectors + 1> kRows256 = {0, 12, 6, 0, 0};

int64_t up(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

int64_t most_vectors(Simd simd, int64_t inner) {
  const int64_t wide = simd == Simd::kAvx512 ? 4 : 2;
  const int64_t vector_bytes = inner * lanes(simd) * int64_t{sizeof(float)};
  const int64_t fitting = second_cache() / 3 / std::max<int64_t>(vector_bytes, 1);
  return std::clamp<int64_t>(fitting, wide / 2, wide);
}

#if defined(__x86_64__)
/// The kernels of a namespace, as a table per number of vectors.
#define TESSERA_PICK(simd, most_rows)                                                           \
  template <int vectors, int... rows>                                                           \
  TileKernel pick_##simd(int64_t wanted, std::integer_sequence<int, rows...>) {                 \
    static constexpr TileKernel kKernels[] = {simd::run_tile<rows + 1, vectors>...};            \
    return kKernels[wanted - 1];                                                                \
  }                                                                                             \
  template <int vectors>                                                                        \
  TileKernel pick_##simd(int64_t rows) {                                                        \
    return pick_##simd<vectors>(rows, std::make_integer_sequence<int, (most_rows)[vectors]>()); \
  }
TESSERA_PICK(avx2, kRows256)
TESSERA_PICK(avx2_pairs, kRows256)
TESSERA_PICK(avx512, kRows512)
TESSERA_PICK(avx512_pairs, kRows512)
#undef TESSERA_PICK
#endif

}  // namespace

Panels::Panels(Simd simd, int64_t channels, int64_t inner) : simd_(simd) {
  const int64_t vectors = up(channels, lanes(simd));
  const int64_t count = up(vectors, most_vectors(simd, inner));
  for (int64_t p = 0; p < count; ++p) {
    const int64_t first = vectors * p / count;
    const int64_t last = vectors * (p + 1) / count;
    const int64_t begin = first * lanes(simd);
    panels_.push_back(
        {begin, std::min(channels, last * lanes(simd)) - begin, static_cast<int>(last - first)});
    offsets_.push_back(begin);
  }
  width_ = vectors * lanes(simd);
}

int64_t Panels::most_rows(size_t p) const {
  return (simd_ == Simd::kAvx512 ? kRows512 : kRows256)[static_cast<size_t>(panels_[p].vectors)];
}

int64_t Panels::most_rows() const {
  int64_t rows = kMostTileRows;
  for (size_t p = 0; p < size(); ++p) rows = std::min(rows, most_rows(p));
  return rows;
}

Ahead fetch_part(const LooseFloat* from, int64_t bytes, int64_t i, int64_t parts, int64_t steps) {
  constexpr int64_t kLine = 64;
  const int64_t lines = up(bytes, kLine);
  // One half by each of the two.
  const int64_t begin = lines * 2 * i / (2 * parts);
  const int64_t middle = lines * (2 * i + 1) / (2 * parts);
  const int64_t end = lines * (2 * i + 2) / (2 * parts);
  const auto* first = reinterpret_cast<const char*>(from);
  return {first + begin * kLine, up((middle - begin) * kLine, steps), first + middle * kLine,
          up((end - middle) * kLine, steps)};
}

#if defined(__x86_64__)
void transpose8(const LooseFloat* from, int64_t from_pitch, const float* scales, float* const* to) {
  avx2::transpose8(from, from_pitch, scales, to);
}

TileKernel tile_kernel(Simd simd, int64_t rows, int vectors) {
  if (simd == Simd::kAvx2) return vectors == 1 ? pick_avx2<1>(rows) : pick_avx2<2>(rows);
  switch (vectors) {
    case 1:
      return pick_avx512<1>(rows);
    case 2:
      return pick_avx512<2>(rows);
    case 3:
      return pick_avx512<3>(rows);
    default:
      return pick_avx512<4>(rows);
  }
}

TileKernel pair_tile_kernel(Simd simd, int64_t rows, int vectors) {
  if (simd == Simd::kAvx2) {
    return vectors == 1 ? pick_avx2_pairs<1>(rows) : pick_avx2_pairs<2>(rows);
  }
  switch (vectors) {
    case 1:
      return pick_avx512_pairs<1>(rows);
    case 2:
      return pick_avx512_pairs<2>(rows);
    case 3:
      return pick_avx512_pairs<3>(rows);
    default:
      return pick_avx512_pairs<4>(rows);
  }
}
#else
// Never called: the kernels say that the processor has no vectors they know.
void transpose8(const LooseFloat*, int64_t, const float*, float* const*) {}
TileKernel tile_kernel(Simd, int64_t, int) {
  return nullptr;
}
TileKernel pair_tile_kernel(Simd, int64_t, int) {
  return nullptr;
}
#endif

}  // namespace tessera::internal
