#include "tessera/data/internal/arguments.h"

#include <cmath>

#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

class Relabel final : public RowStep {
 public:
  explicit Relabel(RowType result) : RowStep(RowStepKind::kRelabel, std::move(result)) {}
  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    std::copy(row.begin(), row.end(), out.begin());
  }
};

}  // namespace

int64_t extent_argument(const TransformArgument& argument, std::string_view what) {
  constexpr double kMost = 1 << 20;
  const double value = argument.numbers.size() == 1 ? argument.numbers[0] : 0;
  require(value >= 1 && value <= kMost && value == std::floor(value),
          "{} is a whole number from 1 to {}, got '{}'", what, kMost, printable(argument.text));
  return static_cast<int64_t>(value);
}

std::vector<float> channel_argument(const TransformArgument& argument, int64_t channels,
                                    std::string_view what) {
  const std::vector<double>& numbers = argument.numbers;
  require(numbers.size() == 1 || static_cast<int64_t>(numbers.size()) == channels,
          "{} '{}' has {} numbers, the rows have {} channels", what, printable(argument.text),
          numbers.size(), channels);
  std::vector<float> values;
  for (int64_t c = 0; c < channels; ++c) {
    const double number = numbers[numbers.size() == 1 ? 0 : static_cast<size_t>(c)];
    values.push_back(static_cast<float>(number));
    require(std::isfinite(values.back()), "{} {} does not fit into a float", what, number);
  }
  return values;
}

int64_t channel_count(const RowType& row) {
  return row.shape.empty() ? 1 : row.shape.back();
}

std::unique_ptr<RowStep> relabel(RowType result) {
  return std::make_unique<Relabel>(std::move(result));
}

}  // namespace tessera::internal
