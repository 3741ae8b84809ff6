#include "tessera/data/digits.h"

#include <utility>

#include "tessera/base/text.h"
#include "tessera/data/row_source.h"

namespace tessera {
namespace {

/// Digits drawn when they are asked for.
class Digits final : public RowSource {
 public:
  Digits(std::string name, DigitSet set) : name_(std::move(name)), set_(set) {}

  const std::string& name() const override { return name_; }
  int64_t size() const override { return set_.rows; }
  Row row(int64_t index) const override {
    require(index >= 0 && index < set_.rows, "{} has rows 0 to {}, not {}", name_, set_.rows - 1,
            index);
    Row row{Tensor(DType::kU8, {kDigitSide, kDigitSide, 1})};
    const std::span<uint8_t> pixels = row.data.mutable_data<uint8_t>();
    row.label = draw_digit(set_.seed, static_cast<uint64_t>(index), pixels.first<kDigitPixels>());
    return row;
  }

 private:
  std::string name_;
  DigitSet set_;
};

std::shared_ptr<const RowSource> open_digits(std::string_view place,
                                             const RowsOptions& /*options*/) {
  DigitSet set = kDigitTestSet;
  if (place == kDigitTrainSet.name) {
    set = kDigitTrainSet;
  } else if (place != kDigitTestSet.name) {
    const auto parts = split(place, ',');
    const auto seed = parse_int(trim(parts[0]));
    const auto rows = parts.size() > 1 ? parse_int(trim(parts[1])) : set.rows;
    require(parts.size() <= 2 && seed && *seed >= 0 && rows && *rows > 0,
            "digits are 'train', 'test', or SEED[,ROWS], got '{}'", printable(place));
    set = {"", static_cast<uint64_t>(*seed), *rows};
  }
  return std::make_shared<Digits>(fmt::format("digits:{}", place), set);
}

}  // namespace

RowSourceDef source_digits() {
  return {.notation = "digits:train|test|SEED[,ROWS]",
          .doc = "28×28 digits that Tessera draws itself, the same for a seed on every machine",
          .open = open_digits};
}

}  // namespace tessera
