#include "tessera/data/internal/linear_resize.h"

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace tessera::internal {
namespace {

constexpr float kOne = 2048;   // a weight of 1
constexpr int kKeptShift = 4;  // sums across lose these bits before they are added down
constexpr int64_t kColour = 3;
constexpr int64_t kPairWords = 16;  // near and far of four channels, twice
constexpr int64_t kSlack = 16;

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

double scale_of(int64_t from, int64_t to) {
  return 1.0 / (static_cast<double>(to) / static_cast<double>(from));
}

#define TESSERA_AVX2 __attribute__((target("avx2")))

/// Columns of three bytes, in pairs: each pair is read by one load of sixteen bytes.
struct WidePairs {
  const int32_t* places;   // of the load, per pair
  const int8_t* choices;   // which of its bytes become words, kPairWords * 2 per pair
  const int16_t* weights;  // of these words: near and far for each channel
};

TESSERA_AVX2 __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

/// The sums of a pair's columns: three channels and a 0, twice.
TESSERA_AVX2 __m256i sum_pair(const uint8_t* line, const WidePairs& pairs, int64_t pair) {
  const __m256i bytes = _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(line + pairs.places[pair])));
  const __m256i words = _mm256_shuffle_epi8(bytes, load(pairs.choices + 2 * kPairWords * pair));
  const __m256i sums = _mm256_madd_epi16(words, load(pairs.weights + kPairWords * pair));
  return _mm256_srli_epi32(sums, kKeptShift);
}

/// Two pairs at a time; `sums` has room for two words behind.
TESSERA_AVX2 void resize_pairs(const uint8_t* line, const WidePairs& pairs, int64_t count,
                               int16_t* sums) {
  const __m256i close = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1,  //
                                         0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1);
  for (int64_t i = 0; i < count; i += 2, sums += 4 * kColour) {
    // Packing works on each half: columns 0, 2 and 1, 3.
    const __m256i halves =
        _mm256_packs_epi32(sum_pair(line, pairs, i), sum_pair(line, pairs, i + 1));
    const __m256i four =
        _mm256_shuffle_epi8(_mm256_permute4x64_epi64(halves, 0b11'01'10'00), close);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), _mm256_castsi256_si128(four));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + 2 * kColour),
                     _mm256_extracti128_si256(four, 1));
  }
}

/// Two lines of sums, and the weight of each.
struct TwoLines {
  const int16_t* near;
  const int16_t* far;
  int16_t near_weight;
  int16_t far_weight;
};

/// What becomes of element i of both.
uint8_t mix(const TwoLines& lines, int64_t i) {
  return static_cast<uint8_t>(
      ((lines.near_weight * lines.near[i] >> 16) + (lines.far_weight * lines.far[i] >> 16) + 2) >>
      2);
}

TESSERA_AVX2 __m256i mix_sixteen(const TwoLines& lines, int64_t i) {
  const __m256i a = _mm256_mulhi_epi16(load(lines.near + i), _mm256_set1_epi16(lines.near_weight));
  const __m256i b = _mm256_mulhi_epi16(load(lines.far + i), _mm256_set1_epi16(lines.far_weight));
  return _mm256_srli_epi16(_mm256_add_epi16(_mm256_add_epi16(a, b), _mm256_set1_epi16(2)), 2);
}

/// mix() of the first elements, thirty-two at a time; returns how many.
TESSERA_AVX2 int64_t mix_wide(const TwoLines& lines, int64_t count, uint8_t* out) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const __m256i bytes = _mm256_packus_epi16(mix_sixteen(lines, i), mix_sixteen(lines, i + 16));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                        _mm256_permute4x64_epi64(bytes, 0b11'01'10'00));
  }
  return i;
}

}  // namespace

bool LinearResize::is_used(const Shape& from, const Shape& to) {
  const auto is_half = [&](size_t dim) {
    return std::abs(scale_of(from[dim], to[dim]) - 2) < 1e-15;
  };
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();  // that a place may be
  return from[0] < kMost && from[1] < kMost / from[2] && !(is_half(0) && is_half(1));
}

LinearResize::Taps LinearResize::taps_of(int64_t place, int64_t from, int64_t to) {
  auto at = static_cast<float>((static_cast<double>(place) + 0.5) * scale_of(from, to) - 0.5);
  const float whole = std::floor(at);
  at -= whole;
  const auto weight = [](float part) { return static_cast<int16_t>(std::lrint(part * kOne)); };
  const auto near = static_cast<int32_t>(whole);
  return {near, near + 1, weight(1.0F - at), weight(at)};
}

LinearResize::LinearResize(const Shape& from, const Shape& to, const PixelBox& part)
    : channels_(from[2]), from_line_(from[1] * from[2]), to_line_(to[1] * to[2]), part_(part) {
  // Above the first and below the last line the same line stands twice, with both weights.
  const auto inside = [&](int32_t line) {
    return static_cast<int32_t>(std::clamp<int64_t>(line, 0, from[0] - 1));
  };
  for (int64_t y = part.top; y < part.bottom; ++y) {
    Taps taps = taps_of(y, from[0], to[0]);
    taps.near_at = inside(taps.near_at);
    taps.far_at = inside(taps.far_at);
    lines_.push_back(taps);
  }
  prepare_columns(from[1], to[1]);
}

void LinearResize::prepare_columns(int64_t from, int64_t to) {
  // Left of the first and right of the last column it alone counts.
  const auto last = static_cast<int32_t>(from - 1);
  for (int64_t x = part_.left; x < part_.right; ++x) {
    Taps taps = taps_of(x, from, to);
    if (taps.near_at < 0) taps = {0, std::min(1, last), static_cast<int16_t>(kOne), 0};
    if (taps.near_at >= last) taps = {last, last, static_cast<int16_t>(kOne), 0};
    taps.near_at *= static_cast<int32_t>(channels_);
    taps.far_at *= static_cast<int32_t>(channels_);
    columns_.push_back(taps);
  }
  if (channels_ == kColour && has_avx2()) prepare_pairs();
}

void LinearResize::prepare_pairs() {
  constexpr int64_t kLoad = 16;
  const auto fits = [&](size_t first) {
    const int32_t begin = columns_[first].near_at;
    return columns_[first + 1].far_at + kColour <= begin + kLoad && begin + kLoad <= from_line_;
  };
  size_t count = 0;  // of columns
  while (count + 4 <= columns_.size() && fits(count) && fits(count + 2)) count += 4;
  pair_choices_.assign(count * kPairWords, -1);
  pair_weights_.resize(count * kPairWords / 2);
  int8_t* choice = pair_choices_.data();
  int16_t* weight = pair_weights_.data();
  for (size_t i = 0; i < count; ++i) {
    const Taps& taps = columns_[i];
    if (i % 2 == 0) pair_places_.push_back(taps.near_at);
    for (int32_t c = 0; c <= kColour; ++c, choice += 4, weight += 2) {
      weight[0] = taps.near_weight;
      weight[1] = taps.far_weight;
      if (c == kColour) continue;  // 0 comes of it
      choice[0] = static_cast<int8_t>(taps.near_at + c - pair_places_.back());
      choice[2] = static_cast<int8_t>(taps.far_at + c - pair_places_.back());
    }
  }
}

template <typename Count>
void LinearResize::sum_columns(std::span<const Taps> columns, Count channels, const uint8_t* line,
                               int16_t* sums) {
  for (const Taps& taps : columns)
    for (int64_t c = 0; c < channels; ++c)
      *sums++ = static_cast<int16_t>(
          (line[taps.near_at + c] * taps.near_weight + line[taps.far_at + c] * taps.far_weight) >>
          kKeptShift);
}

void LinearResize::resize_line(const uint8_t* line, int16_t* sums) const {
  const auto pairs = std::ssize(pair_places_);
  if (pairs > 0)
    resize_pairs(line, {pair_places_.data(), pair_choices_.data(), pair_weights_.data()}, pairs,
                 sums);
  sums += 2 * pairs * channels_;
  const std::span<const Taps> rest = std::span(columns_).subspan(static_cast<size_t>(2 * pairs));
  if (channels_ == 1) return sum_columns(rest, std::integral_constant<int64_t, 1>(), line, sums);
  sum_columns(rest, channels_, line, sums);
}

void LinearResize::run(const uint8_t* from, uint8_t* to) const {
  const int64_t count = std::ssize(columns_) * channels_;
  std::vector<int16_t> memory(static_cast<size_t>(2 * (count + kSlack)));
  int16_t* sums[] = {memory.data(), memory.data() + count + kSlack};
  int32_t kept_lines[] = {-1, -1};  // of which the sums are
  const auto sums_of = [&](int32_t line, int32_t kept) {
    size_t place = kept_lines[0] == line ? 0 : kept_lines[1] == line ? 1 : 2;
    if (place == 2) {
      place = kept_lines[0] == kept ? 1 : 0;
      kept_lines[place] = line;
      resize_line(from + line * from_line_, sums[place]);
    }
    return sums[place];
  };
  uint8_t* out = to + part_.top * to_line_ + part_.left * channels_;
  for (const Taps& taps : lines_) {
    const int16_t* near = sums_of(taps.near_at, taps.far_at);
    const int16_t* far = sums_of(taps.far_at, taps.near_at);
    const TwoLines lines{near, far, taps.near_weight, taps.far_weight};
    int64_t i = has_avx2() ? mix_wide(lines, count, out) : 0;
    for (; i < count; ++i) out[i] = mix(lines, i);
    out += to_line_;
  }
}

}  // namespace tessera::internal
