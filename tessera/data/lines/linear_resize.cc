#include "tessera/data/lines/linear_resize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tessera/data/lines/processor.h"

namespace tessera::internal {
namespace {

constexpr float kOne = 2048;    // a weight of 1
constexpr int kKeptShift = 4;   // sums across lose these bits before they are added down
constexpr int64_t kSlots = 8;   // sums of a group: of its columns each channel, or a 0 behind three
constexpr int64_t kSlack = 32;  // sums that may be written behind a line

double scale_of(int64_t from, int64_t to) {
  return 1.0 / (static_cast<double>(to) / static_cast<double>(from));
}

#define TESSERA_AVX2 __attribute__((target("avx2")))

/// Columns in groups: each group is read by one load of sixteen bytes.
struct Groups {
  const int32_t* places;   // of the load, per group
  const int8_t* choices;   // which of its bytes become words, two per word
  const int16_t* weights;  // of these words: near and far for each slot
};

TESSERA_AVX2 __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

/// The sums of a group's slots.
TESSERA_AVX2 __m256i sum_group(const uint8_t* line, const Groups& groups, int64_t group) {
  const __m256i bytes = _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(line + groups.places[group])));
  const __m256i words = _mm256_shuffle_epi8(bytes, load(groups.choices + 4 * kSlots * group));
  const __m256i sums = _mm256_madd_epi16(words, load(groups.weights + 2 * kSlots * group));
  return _mm256_srli_epi32(sums, kKeptShift);
}

/// Two groups at a time. Of eight slots `used` stand for something, 6 or 8; `sums` has room for the
/// others behind.
TESSERA_AVX2 void resize_groups(const uint8_t* line, const Groups& groups, int64_t count,
                                int64_t used, int16_t* sums) {
  // Where a column has three channels, its fourth slot goes.
  const __m256i close = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1,  //
                                         0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1);
  for (int64_t i = 0; i < count; i += 2, sums += 2 * used) {
    // Packing works on each half: slots 0-3, 8-11 and 4-7, 12-15.
    const __m256i halves =
        _mm256_packs_epi32(sum_group(line, groups, i), sum_group(line, groups, i + 1));
    __m256i both = _mm256_permute4x64_epi64(halves, 0b11'01'10'00);
    if (used < kSlots) both = _mm256_shuffle_epi8(both, close);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), _mm256_castsi256_si128(both));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + used), _mm256_extracti128_si256(both, 1));
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

constexpr int64_t kBlockSums = 32;
constexpr __mmask64 kLowBytes = 0x5555555555555555;

/// The sums of words in pairs.
TESSERA_VBMI inline __m512i weigh(__m512i words, const int16_t* weights) {
  return _mm512_srli_epi32(_mm512_madd_epi16(words, _mm512_loadu_si512(weights)), kKeptShift);
}

/// The sums of a line of `line_bytes`.
template <bool kNear>
TESSERA_VBMI void resize_blocks(const uint8_t* line, int64_t line_bytes,
                                std::span<const ResizeBlock> blocks, int16_t* sums) {
  for (const ResizeBlock& block : blocks) {
    const uint8_t* from = line + block.place;
    const int64_t left = line_bytes - block.place;
    const uint8_t* choices = block.choices.data();
    const __m512i first = _mm512_load_si512(choices);
    const __m512i second = _mm512_load_si512(choices + kWide);
    const __m512i near = _mm512_maskz_loadu_epi8(first_bits(left), from);
    __m512i low;
    __m512i high;
    if constexpr (kNear) {
      low = _mm512_maskz_permutexvar_epi8(kLowBytes, first, near);
      high = _mm512_maskz_permutexvar_epi8(kLowBytes, second, near);
    } else {
      const __m512i far = _mm512_maskz_loadu_epi8(first_bits(left - kWide), from + kWide);
      low = _mm512_maskz_permutex2var_epi8(kLowBytes, near, first, far);
      high = _mm512_maskz_permutex2var_epi8(kLowBytes, near, second, far);
    }
    // Packing works on each quarter, which the choices know.
    _mm512_storeu_si512(sums, _mm512_packs_epi32(weigh(low, block.weights.data()),
                                                 weigh(high, &block.weights[kBlockSums])));
    sums += kBlockSums;
  }
}

TESSERA_VBMI inline __m512i mix_thirty_two(const TwoLines& lines, int64_t i) {
  const __m512i a =
      _mm512_mulhi_epi16(_mm512_loadu_si512(lines.near + i), _mm512_set1_epi16(lines.near_weight));
  const __m512i b =
      _mm512_mulhi_epi16(_mm512_loadu_si512(lines.far + i), _mm512_set1_epi16(lines.far_weight));
  return _mm512_srli_epi16(_mm512_add_epi16(_mm512_add_epi16(a, b), _mm512_set1_epi16(2)), 2);
}

/// mix() of all elements; sums may be read kSlack behind.
TESSERA_VBMI void mix_widest(const TwoLines& lines, int64_t count, uint8_t* out) {
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);  // undoes packing by quarters
  for (int64_t i = 0; i < count; i += kWide) {
    const __m512i low = mix_thirty_two(lines, i);
    const __m512i high = i + kBlockSums < count ? mix_thirty_two(lines, i + kBlockSums) : low;
    const __m512i bytes = _mm512_permutexvar_epi64(order, _mm512_packus_epi16(low, high));
    _mm512_mask_storeu_epi8(out + i, first_bits(count - i), bytes);
  }
}

void mix_lines(const TwoLines& lines, int64_t count, uint8_t* out) {
  if (has_vbmi()) return mix_widest(lines, count, out);
  int64_t i = has_avx2() ? mix_wide(lines, count, out) : 0;
  for (; i < count; ++i) out[i] = mix(lines, i);
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
  if (has_vbmi()) prepare_blocks();
  if (blocks_.empty() && channels_ <= 4 && has_avx2()) prepare_groups();
}

void LinearResize::prepare_blocks() {
  const int64_t count = std::ssize(columns_) * channels_;
  const auto taps = [&](int64_t sum) -> const Taps& {
    return columns_[static_cast<size_t>(sum / channels_)];
  };
  for (int64_t first = 0; first < count; first += kBlockSums) {
    const int64_t end = std::min(first + kBlockSums, count);
    ResizeBlock block{.choices = {}, .weights = {}, .place = taps(first).near_at};
    const int64_t reach = taps(end - 1).far_at + channels_ - block.place;
    if (reach > 2 * kWide) return blocks_.clear();
    blocks_are_near_ = blocks_are_near_ && reach <= kWide;
    for (int64_t sum = first; sum < end; ++sum) {
      // Of eight sums packing takes four from the first sixteen and four from the second.
      const int64_t i = sum - first;
      const auto word = static_cast<size_t>(i % 8 / 4 * 32 + i / 8 * 8 + i % 4 * 2);
      const int64_t begin = sum % channels_ - block.place;
      block.choices[2 * word] = static_cast<uint8_t>(taps(sum).near_at + begin);
      block.choices[2 * word + 2] = static_cast<uint8_t>(taps(sum).far_at + begin);
      block.weights[word] = taps(sum).near_weight;
      block.weights[word + 1] = taps(sum).far_weight;
    }
    blocks_.push_back(block);
  }
}

void LinearResize::prepare_groups() {
  constexpr int64_t kLoad = 16;
  const int64_t slots = channels_ == 3 ? 4 : channels_;  // of a column
  group_columns_ = static_cast<size_t>(kSlots / slots);
  const auto begin_of = [&](size_t column) {
    const auto first = columns_[column / group_columns_ * group_columns_].near_at;
    return static_cast<int32_t>(std::min<int64_t>(first, from_line_ - kLoad));
  };
  const auto fits = [&](size_t first) {
    const int32_t begin = begin_of(first);
    return begin >= 0 && columns_[first + group_columns_ - 1].far_at + channels_ <= begin + kLoad;
  };
  size_t count = 0;  // of columns, in pairs of groups
  while (count + 2 * group_columns_ <= columns_.size() && fits(count) &&
         fits(count + group_columns_))
    count += 2 * group_columns_;
  group_choices_.assign(count * static_cast<size_t>(4 * slots), -1);
  group_weights_.resize(count * static_cast<size_t>(2 * slots));
  int8_t* choice = group_choices_.data();
  int16_t* weight = group_weights_.data();
  for (size_t i = 0; i < count; ++i) {
    const Taps& taps = columns_[i];
    const int32_t begin = begin_of(i);
    if (i % group_columns_ == 0) group_places_.push_back(begin);
    for (int32_t c = 0; c < slots; ++c, choice += 4, weight += 2) {
      weight[0] = taps.near_weight;
      weight[1] = taps.far_weight;
      if (c == channels_) continue;  // 0 comes of it
      choice[0] = static_cast<int8_t>(taps.near_at + c - begin);
      choice[2] = static_cast<int8_t>(taps.far_at + c - begin);
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
  if (!blocks_.empty()) {
    (blocks_are_near_ ? resize_blocks<true> : resize_blocks<false>)(line, from_line_, blocks_,
                                                                    sums);
    return;
  }
  const size_t groups = group_places_.size();
  if (groups > 0) {
    const int64_t used = channels_ == 3 ? 6 : kSlots;
    resize_groups(line, {group_places_.data(), group_choices_.data(), group_weights_.data()},
                  static_cast<int64_t>(groups), used, sums);
    sums += used * static_cast<int64_t>(groups);
  }
  const std::span<const Taps> rest = std::span(columns_).subspan(groups * group_columns_);
  if (channels_ == 1) return sum_columns(rest, std::integral_constant<int64_t, 1>(), line, sums);
  sum_columns(rest, channels_, line, sums);
}

template <typename Out, typename Done>
void LinearResize::make_lines(const uint8_t* from, const Out& out, const Done& done) const {
  const int64_t count = std::ssize(columns_) * channels_;
  thread_local std::vector<int16_t> memory;
  if (std::ssize(memory) < 2 * (count + kSlack)) memory.resize(2 * (count + kSlack));
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
  for (int64_t y = 0; y < std::ssize(lines_); ++y) {
    const Taps& taps = lines_[static_cast<size_t>(y)];
    const int16_t* near = sums_of(taps.near_at, taps.far_at);
    const int16_t* far = sums_of(taps.far_at, taps.near_at);
    mix_lines({near, far, taps.near_weight, taps.far_weight}, count, out(y));
    done(y);
  }
}

void LinearResize::run(const uint8_t* from, uint8_t* to) const {
  uint8_t* first = to + part_.top * to_line_ + part_.left * channels_;
  make_lines(
      from, [&](int64_t y) { return first + y * to_line_; }, [](int64_t) {});
}

void LinearResize::run(const uint8_t* from, const LineTask& take) const {
  thread_local std::vector<uint8_t> line;
  const size_t count = columns_.size() * static_cast<size_t>(channels_);
  if (line.size() < count) line.resize(count);
  make_lines(
      from, [&](int64_t) { return line.data(); },
      [&](int64_t y) { take(y, std::span(line).first(count)); });
}

}  // namespace tessera::internal
