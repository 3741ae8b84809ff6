#include "tessera/data/internal/row_chain.h"

#include <immintrin.h>

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "tessera/data/internal/arguments.h"

namespace tessera::internal {
namespace {

constexpr int64_t kByteValues = 256;

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

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

/// What PlanesStep does with the first pixels, eight at a time; returns how many.
__attribute__((target("avx2"))) size_t look_up_planes_avx2(const uint8_t* from, size_t pixels,
                                                           const int* tables, uint32_t* out) {
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
          reinterpret_cast<__m256i*>(out + c * pixels + i),
          _mm256_i32gather_epi32(tables + static_cast<int64_t>(c) * kByteValues, places, 4));
    }
  }
  return i;
}

/// Looks results up by byte and channel.
template <typename Word>
class TableStep final : public RowStep {
 public:
  TableStep(RowType result, int64_t channels, std::span<const std::byte> table)
      : RowStep(RowStepKind::kElementwise, std::move(result)),
        channels_(static_cast<size_t>(channels)),
        table_(table.size() / sizeof(Word)) {
    std::memcpy(table_.data(), table.data(), table.size());
  }

  std::optional<PixelBox> needed(const std::optional<PixelBox>& wanted) const override {
    return wanted;
  }
  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const auto from = elements<uint8_t>(row);
    const auto to = elements<Word>(out);
    if (channels_ == 1) {
      size_t i = 0;
      if constexpr (std::is_same_v<Word, uint32_t>) {
        if (has_avx2())
          i = look_up_avx2(from, reinterpret_cast<const int*>(table_.data()), to.data());
      }
      for (; i < from.size(); ++i) to[i] = table_[from[i]];
      return;
    }
    for (size_t i = 0; i + channels_ <= from.size(); i += channels_)
      for (size_t c = 0; c < channels_; ++c) to[i + c] = table_[from[i + c] * channels_ + c];
  }

 private:
  size_t channels_;
  std::vector<Word> table_;  // [256, channels]
};

/// The same for three channels, each into a plane of its own.
template <typename Word>
class PlanesStep final : public RowStep {
 public:
  PlanesStep(RowType result, std::span<const std::byte> table)
      : RowStep(RowStepKind::kGeneral, std::move(result)), tables_(table.size() / sizeof(Word)) {
    const auto values = elements<Word>(table);
    for (size_t i = 0; i < values.size(); ++i) tables_[i % 3 * kByteValues + i / 3] = values[i];
  }

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const auto* from = reinterpret_cast<const uint8_t*>(row.data());
    const size_t pixels = row.size() / 3;
    Word* red = elements<Word>(out).data();
    Word* green = red + pixels;
    Word* blue = green + pixels;
    const Word* table = tables_.data();
    size_t i = 0;
    if constexpr (std::is_same_v<Word, uint32_t>) {
      if (has_avx2())
        i = look_up_planes_avx2(from, pixels, reinterpret_cast<const int*>(tables_.data()), red);
      from += 3 * i;
    }
    for (; i < pixels; ++i, from += 3) {
      red[i] = table[from[0]];
      green[i] = table[kByteValues + from[1]];
      blue[i] = table[2 * kByteValues + from[2]];
    }
  }

 private:
  std::vector<Word> tables_;  // [3, 256]
};

using Steps = std::vector<std::shared_ptr<const RowStep>>;

void run_steps(const Steps& steps, std::span<const std::byte> row, std::span<std::byte> out,
               RowChain::Scratch& scratch) {
  for (size_t i = 0; i < steps.size(); ++i) {
    std::span<std::byte> to = out;
    if (i + 1 < steps.size()) {
      std::vector<std::byte>& half = scratch.halves[i % 2];
      half.resize(static_cast<size_t>(steps[i]->result().byte_count()));
      to = half;
    }
    steps[i]->run(row, to);
    row = to;
  }
}

template <typename Word>
std::shared_ptr<const RowStep> table_step(RowType result, int64_t channels, bool planes,
                                          std::span<const std::byte> table) {
  if (planes) return std::make_shared<PlanesStep<Word>>(std::move(result), table);
  return std::make_shared<TableStep<Word>>(std::move(result), channels, table);
}

/// `steps`, all elementwise, on unsigned bytes of `channels` channels as one table. They must have
/// been bound to rows [256, channels]. `planes`: the three channels go into planes.
std::shared_ptr<const RowStep> make_table(const Steps& steps, int64_t channels, bool planes,
                                          RowType result) {
  std::vector<std::byte> values(static_cast<size_t>(kByteValues * channels));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::byte>(i / static_cast<size_t>(channels));
  const auto bytes = byte_size(result.dtype);
  std::vector<std::byte> table(values.size() * static_cast<size_t>(bytes));
  RowChain::Scratch scratch;
  run_steps(steps, values, table, scratch);
  switch (bytes) {
    case 1:
      return table_step<uint8_t>(std::move(result), channels, planes, table);
    case 2:
      return table_step<uint16_t>(std::move(result), channels, planes, table);
    case 4:
      return table_step<uint32_t>(std::move(result), channels, planes, table);
    case 8:
      return table_step<uint64_t>(std::move(result), channels, planes, table);
    default:
      return nullptr;
  }
}

/// [c,h,w] has as many dims as [h,w,c]: only the transforms before tell them apart.
void check_order(std::span<const Transform> transforms) {
  size_t planes = transforms.size();  // the transform that made them
  for (size_t i = 0; i < transforms.size(); ++i) {
    const TransformDef& def = *transforms[i].def;
    require(!def.takes_pixels || planes == transforms.size(),
            "{} (transform {}) works on rows [h,w,c], but {} (transform {}) has made them "
            "[c,h,w]; put it before",
            to_string(transforms[i]), i + 1, planes < i ? transforms[planes].def->name : "",
            planes + 1);
    if (def.gives_planes) planes = i;
  }
}

}  // namespace

RowChain::RowChain(std::span<const Transform> transforms, RowType row)
    : source_(row), result_(std::move(row)) {
  check_order(transforms);
  for (size_t i = 0; i < transforms.size();) {
    const RowType at = result_;
    const RowType values{DType::kU8, {kByteValues, channel_count(at)}};
    Steps direct;   // bound to the rows
    Steps tabular;  // bound to every value of a byte
    while (i < transforms.size()) {
      const ErrorContext context([&] {
        return fmt::format("applying {} to rows {}", to_string(transforms[i]), to_string(result_));
      });
      const auto& [def, arguments] = transforms[i];
      std::shared_ptr<const RowStep> step = def->bind(arguments, result_);
      const bool joins = at.dtype == DType::kU8 && step->kind() == RowStepKind::kElementwise;
      if (!joins && !direct.empty()) break;
      ++i;
      result_ = step->result();
      if (step->kind() == RowStepKind::kRelabel) break;
      direct.push_back(step);
      if (!joins) break;
      tabular.push_back(def->bind(arguments, tabular.empty() ? values : tabular.back()->result()));
    }
    if (direct.empty()) continue;
    if (!tabular.empty()) {
      const bool planes = i < transforms.size() && transforms[i].def->gives_planes &&
                          result_.shape.size() == 3 && result_.shape[2] == 3;
      const RowType joined =
          planes ? transforms[i].def->bind(transforms[i].arguments, result_)->result() : result_;
      if (auto table = make_table(tabular, values.shape[1], planes, joined)) {
        direct = {table};
        i += planes ? 1 : 0;
        result_ = joined;
      }
    }
    steps_.insert(steps_.end(), direct.begin(), direct.end());
  }
  for (size_t i = steps_.size(); i-- > 0;) {
    if (auto part = needed_ ? steps_[i]->for_part(*needed_) : nullptr) steps_[i] = part;
    needed_ = steps_[i]->needed(needed_);
  }
}

void RowChain::run(std::span<const std::byte> row, std::span<std::byte> out,
                   Scratch& scratch) const {
  if (steps_.empty())
    std::copy(row.begin(), row.end(), out.begin());
  else
    run_steps(steps_, row, out, scratch);
}

}  // namespace tessera::internal
