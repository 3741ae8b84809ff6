#include <cmath>

#include "tessera/data/internal/arguments.h"

namespace tessera {
namespace {

/// x·scale + shift in float with one rounding, as OpenCV's convertTo computes it where the
/// processor has a fused multiply-add.
template <typename T>
class Rescale final : public RowStep {
 public:
  Rescale(const RowType& row, float scale, float shift)
      : RowStep(RowStepKind::kElementwise, {DType::kF32, row.shape}),
        scale_(scale),
        shift_(shift) {}

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const auto from = internal::elements<T>(row);
    const auto to = internal::elements<float>(out);
    for (size_t i = 0; i < from.size(); ++i)
      to[i] = std::fma(static_cast<float>(from[i]), scale_, shift_);
  }

 private:
  float scale_;
  float shift_;
};

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> arguments, const RowType& row) {
  const float scale = internal::channel_argument(arguments[0], 1, "the scale")[0];
  const float shift =
      arguments.size() > 1 ? internal::channel_argument(arguments[1], 1, "the shift")[0] : 0.0F;
  if (row.dtype == DType::kU8) return std::make_unique<Rescale<uint8_t>>(row, scale, shift);
  require(row.dtype == DType::kF32, "rescale works on u8 and f32, not on {}", to_string(row));
  return std::make_unique<Rescale<float>>(row, scale, shift);
}

}  // namespace

TransformDef transform_rescale() {
  return {.notation = "rescale(SCALE[,SHIFT])",
          .doc = "x·SCALE + SHIFT as f32, MindSpore's vision.Rescale",
          .min_arguments = 1,
          .max_arguments = 2,
          .bind = bind};
}

}  // namespace tessera
