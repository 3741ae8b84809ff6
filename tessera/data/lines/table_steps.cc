#include "tessera/data/lines/table_steps.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "tessera/data/internal/arguments.h"
#include "tessera/data/lines/line_steps.h"
#include "tessera/data/lines/processor.h"

namespace tessera::internal {
namespace {

/// The first elements of one channel, eight at a time; returns how many.
__attribute__((target("avx2"))) size_t look_up_avx2(std::span<const uint8_t> from, const int* table,
                                                    uint32_t* out) {
  size_t i = 0;
  for (; i + 8 <= from.size(); i += 8) {
    const __m256i places =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(&from[i])));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                        _mm256_i32gather_epi32(table, places, 4));
  }
  return i;
}

/// The first pixels of three channels into lines of three planes, eight at a time; returns how
/// many.
__attribute__((target("avx2"))) size_t look_up_planes_avx2(const uint8_t* from, size_t pixels,
                                                           const int* tables,
                                                           const std::array<uint32_t*, 3>& out) {
  // Every third byte of twelve, from byte c on, becomes a word.
  const auto choice = [](char c) {
    const auto at = [&](int i) { return static_cast<char>(c + 3 * i); };
    return std::array<char, 32>{at(0), -1,    -1,    -1, at(1), -1,    -1,    -1, at(2), -1,    -1,
                                -1,    at(3), -1,    -1, -1,    at(0), -1,    -1, -1,    at(1), -1,
                                -1,    -1,    at(2), -1, -1,    -1,    at(3), -1, -1,    -1};
  };
  const std::array<std::array<char, 32>, 3> choices{choice(0), choice(1), choice(2)};
  size_t i = 0;
  for (; i + 10 <= pixels; i += 8, from += 24) {  // the second load ends four bytes behind
    const __m256i bytes =
        _mm256_set_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 12)),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    for (size_t c = 0; c < 3; ++c) {
      const __m256i places = _mm256_shuffle_epi8(
          bytes, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(choices[c].data())));
      _mm256_storeu_si256(
          reinterpret_cast<__m256i*>(out[c] + i),
          _mm256_i32gather_epi32(tables + static_cast<int64_t>(c) * kByteValues, places, 4));
    }
  }
  return i;
}

// With AVX-512 VBMI a register is a table of 64 bytes: four of them hold one byte of each of the
// 256 results, sixteen all four, and nothing is gathered from memory.
/// Byte b of result v stands at [b][v].
using SplitTable = std::array<std::array<uint8_t, kByteValues>, 4>;

SplitTable split(std::span<const uint32_t> table) {
  SplitTable bytes;
  for (size_t b = 0; b < bytes.size(); ++b)
    for (size_t v = 0; v < table.size(); ++v)
      bytes[b][v] = static_cast<uint8_t>(table[v] >> (8 * b));
  return bytes;
}

/// The results of sixty-four bytes, of which the first `count` are stored.
TESSERA_VBMI __attribute__((always_inline)) inline void look_up_block(__m512i bytes,
                                                                      const SplitTable& table,
                                                                      int64_t count,
                                                                      uint32_t* out) {
  // Bytes are joined to words within quarters of a register: quarters change places before.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  bytes = _mm512_permutexvar_epi32(order, bytes);
  const __mmask64 is_upper = _mm512_movepi8_mask(bytes);
  __m512i found[4];
  for (size_t b = 0; b < 4; ++b) {
    const auto* part = table[b].data();
    const __m512i lower =
        _mm512_permutex2var_epi8(_mm512_loadu_si512(part), bytes, _mm512_loadu_si512(part + kWide));
    const __m512i upper = _mm512_permutex2var_epi8(_mm512_loadu_si512(part + 2 * kWide), bytes,
                                                   _mm512_loadu_si512(part + 3 * kWide));
    found[b] = _mm512_mask_blend_epi8(is_upper, lower, upper);
  }
  const __m512i low_near = _mm512_unpacklo_epi8(found[0], found[1]);
  const __m512i low_far = _mm512_unpackhi_epi8(found[0], found[1]);
  const __m512i high_near = _mm512_unpacklo_epi8(found[2], found[3]);
  const __m512i high_far = _mm512_unpackhi_epi8(found[2], found[3]);
  const __m512i results[4] = {
      _mm512_unpacklo_epi16(low_near, high_near), _mm512_unpackhi_epi16(low_near, high_near),
      _mm512_unpacklo_epi16(low_far, high_far), _mm512_unpackhi_epi16(low_far, high_far)};
  constexpr int64_t kWords = 16;
  for (int64_t i = 0; i < 4; ++i)
    _mm512_mask_storeu_epi32(out + i * kWords,
                             static_cast<__mmask16>(first_bits(count - i * kWords)), results[i]);
}

TESSERA_VBMI void look_up_vbmi(std::span<const uint8_t> from, const SplitTable& table,
                               uint32_t* out) {
  for (size_t i = 0; i < from.size(); i += kWide) {
    const auto count = static_cast<int64_t>(from.size() - i);
    look_up_block(_mm512_maskz_loadu_epi8(first_bits(count), &from[i]), table, count, out + i);
  }
}

/// Which of 192 bytes are of channel c.
constexpr std::array<uint8_t, kWide> third_bytes(size_t c) {
  std::array<uint8_t, kWide> places{};
  for (size_t i = 0; i < kWide; ++i) places[i] = static_cast<uint8_t>(3 * i + c);
  return places;
}

TESSERA_VBMI void look_up_planes_vbmi(std::span<const uint8_t> from,
                                      const std::array<SplitTable, 3>& tables,
                                      const std::array<uint32_t*, 3>& out) {
  alignas(kWide) static constexpr std::array<std::array<uint8_t, kWide>, 3> kPlaces{
      third_bytes(0), third_bytes(1), third_bytes(2)};
  const auto bytes = static_cast<int64_t>(from.size());
  for (int64_t i = 0; 3 * i < bytes; i += kWide) {
    const int64_t left = bytes - 3 * i;
    const uint8_t* at = from.data() + 3 * i;
    const __m512i first = _mm512_maskz_loadu_epi8(first_bits(left), at);
    const __m512i second = _mm512_maskz_loadu_epi8(first_bits(left - kWide), at + kWide);
    const __m512i third = _mm512_maskz_loadu_epi8(first_bits(left - 2 * kWide), at + 2 * kWide);
    for (size_t c = 0; c < 3; ++c) {
      const __m512i places = _mm512_loadu_si512(kPlaces[c].data());
      const __m512i near = _mm512_permutex2var_epi8(first, places, second);
      const __m512i of_channel =
          _mm512_mask_permutexvar_epi8(near, _mm512_movepi8_mask(places), places, third);
      look_up_block(of_channel, tables[c], left / 3, out[c] + i);
    }
  }
}

/// Looks results up by byte and channel.
template <typename Word>
class TableStep final : public RowStep, public TakesLines {
 public:
  TableStep(const RowType& result, int64_t channels, std::span<const std::byte> table)
      : RowStep(RowStepKind::kElementwise, result),
        channels_(static_cast<size_t>(channels)),
        table_(table.size() / sizeof(Word)) {
    std::memcpy(table_.data(), table.data(), table.size());
    if constexpr (std::is_same_v<Word, uint32_t>)
      if (channels_ == 1 && has_vbmi()) split_ = split(table_);
  }

  std::optional<PixelBox> needed(const std::optional<PixelBox>& wanted) const override {
    return wanted;
  }
  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    look_up(elements<uint8_t>(row), elements<Word>(out).data());
  }
  void take_line(int64_t y, std::span<const uint8_t> line,
                 std::span<std::byte> out) const override {
    look_up(line, elements<Word>(out).data() + static_cast<size_t>(y) * line.size());
  }

 private:
  void look_up(std::span<const uint8_t> from, Word* to) const {
    if (channels_ == 1) {
      size_t i = 0;
      if constexpr (std::is_same_v<Word, uint32_t>) {
        if (has_vbmi()) return look_up_vbmi(from, split_, to);
        if (has_avx2()) i = look_up_avx2(from, reinterpret_cast<const int*>(table_.data()), to);
      }
      for (; i < from.size(); ++i) to[i] = table_[from[i]];
      return;
    }
    for (size_t i = 0; i + channels_ <= from.size(); i += channels_)
      for (size_t c = 0; c < channels_; ++c) to[i + c] = table_[from[i + c] * channels_ + c];
  }

  size_t channels_;
  std::vector<Word> table_;  // [256, channels]
  SplitTable split_;         // of one channel, where the processor has VBMI
};

/// The same for three channels, each into a plane of its own.
template <typename Word>
class PlanesStep final : public RowStep, public TakesLines {
 public:
  PlanesStep(const RowType& result, std::span<const std::byte> table)
      : RowStep(RowStepKind::kGeneral, result), tables_(table.size() / sizeof(Word)) {
    const auto values = elements<Word>(table);
    for (size_t i = 0; i < values.size(); ++i) tables_[i % 3 * kByteValues + i / 3] = values[i];
    if constexpr (std::is_same_v<Word, uint32_t>)
      for (size_t c = 0; c < 3 && has_vbmi(); ++c)
        split_[c] = split(std::span(tables_).subspan(c * kByteValues, kByteValues));
  }

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    look_up(elements<uint8_t>(row), elements<Word>(out), 0);
  }
  void take_line(int64_t y, std::span<const uint8_t> line,
                 std::span<std::byte> out) const override {
    look_up(line, elements<Word>(out), static_cast<size_t>(y) * line.size() / 3);
  }

 private:
  /// `pixel`: the place in each plane of the first of `from`.
  void look_up(std::span<const uint8_t> from, std::span<Word> out, size_t pixel) const {
    const size_t plane = out.size() / 3;
    const size_t pixels = from.size() / 3;
    const std::array<Word*, 3> to{&out[pixel], &out[plane + pixel], &out[2 * plane + pixel]};
    size_t i = 0;
    if constexpr (std::is_same_v<Word, uint32_t>) {
      if (has_vbmi()) return look_up_planes_vbmi(from, split_, to);
      if (has_avx2())
        i = look_up_planes_avx2(from.data(), pixels, reinterpret_cast<const int*>(tables_.data()),
                                to);
    }
    for (; i < pixels; ++i)
      for (size_t c = 0; c < 3; ++c) to[c][i] = tables_[c * kByteValues + from[3 * i + c]];
  }

  std::vector<Word> tables_;         // [3, 256]
  std::array<SplitTable, 3> split_;  // where the processor has VBMI
};

template <typename Word>
std::shared_ptr<const RowStep> table_of(const RowType& result, int64_t channels, bool planes,
                                        std::span<const std::byte> table) {
  if (planes) return std::make_shared<PlanesStep<Word>>(result, table);
  return std::make_shared<TableStep<Word>>(result, channels, table);
}

}  // namespace

std::shared_ptr<const RowStep> make_table_step(const RowType& result, int64_t channels, bool planes,
                                               std::span<const std::byte> table) {
  switch (byte_size(result.dtype)) {
    case 1:
      return table_of<uint8_t>(result, channels, planes, table);
    case 2:
      return table_of<uint16_t>(result, channels, planes, table);
    case 4:
      return table_of<uint32_t>(result, channels, planes, table);
    case 8:
      return table_of<uint64_t>(result, channels, planes, table);
    default:
      return nullptr;
  }
}

}  // namespace tessera::internal
