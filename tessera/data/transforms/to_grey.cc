#include "tessera/data/internal/arguments.h"

namespace tessera {
namespace {

/// [h,w,3] to [h,w,1] by OpenCV's integer weights for 8 bits.
class ToGrey final : public RowStep {
 public:
  explicit ToGrey(const RowType& row)
      : RowStep(RowStepKind::kGeneral, {DType::kU8, {row.shape[0], row.shape[1], 1}}) {}

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const auto from = internal::elements<uint8_t>(row);
    const auto to = internal::elements<uint8_t>(out);
    for (size_t i = 0; i < to.size(); ++i)
      to[i] = static_cast<uint8_t>(
          (from[3 * i] * 9798 + from[3 * i + 1] * 19235 + from[3 * i + 2] * 3735 + (1 << 14)) >>
          15);
  }
};

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> /*arguments*/,
                              const RowType& row) {
  const bool has_channels = row.shape.size() == 3 && (row.shape[2] == 1 || row.shape[2] == 3);
  require(row.dtype == DType::kU8 && has_channels,
          "to_grey works on rows u8[h,w,3] and leaves u8[h,w,1], not on {}", to_string(row));
  if (row.shape[2] == 1) return internal::relabel(row);
  return std::make_unique<ToGrey>(row);
}

}  // namespace

TransformDef transform_to_grey() {
  return {.notation = "to_grey",
          .doc = "one channel: 0.299 red + 0.587 green + 0.114 blue",
          .takes_pixels = true,
          .bind = bind};
}

}  // namespace tessera
