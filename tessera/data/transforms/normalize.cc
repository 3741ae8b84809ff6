#include <utility>

#include "tessera/data/internal/arguments.h"

namespace tessera {
namespace {

/// (x - mean) / deviation in float, each operation rounded.
template <typename T>
class Normalize final : public RowStep {
 public:
  Normalize(const RowType& row, std::vector<float> mean, std::vector<float> deviation)
      : RowStep(RowStepKind::kElementwise, {DType::kF32, row.shape}),
        mean_(std::move(mean)),
        deviation_(std::move(deviation)) {}

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const auto from = internal::elements<T>(row);
    const auto to = internal::elements<float>(out);
    const size_t channels = mean_.size();
    for (size_t i = 0; i + channels <= from.size(); i += channels)
      for (size_t c = 0; c < channels; ++c)
        to[i + c] = (static_cast<float>(from[i + c]) - mean_[c]) / deviation_[c];
  }

 private:
  std::vector<float> mean_;
  std::vector<float> deviation_;
};

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> arguments, const RowType& row) {
  const int64_t channels = internal::channel_count(row);
  auto mean = internal::channel_argument(arguments[0], channels, "the mean");
  auto deviation = internal::channel_argument(arguments[1], channels, "the standard deviation");
  for (const float value : deviation)
    require(value > 0, "the standard deviation is above 0, got {}", value);
  if (row.dtype == DType::kU8)
    return std::make_unique<Normalize<uint8_t>>(row, std::move(mean), std::move(deviation));
  require(row.dtype == DType::kF32, "normalize works on u8 and f32, not on {}", to_string(row));
  return std::make_unique<Normalize<float>>(row, std::move(mean), std::move(deviation));
}

}  // namespace

TransformDef transform_normalize() {
  return {.notation = "normalize(MEAN,STD)",
          .doc = "(x - MEAN) / STD as f32, per channel with lists; MindSpore's vision.Normalize",
          .min_arguments = 2,
          .max_arguments = 2,
          .bind = bind};
}

}  // namespace tessera
