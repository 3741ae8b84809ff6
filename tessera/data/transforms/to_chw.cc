#include <cstring>

#include "tessera/data/internal/arguments.h"

namespace tessera {
namespace {

/// [h,w,c] to [c,h,w].
class ToChw final : public RowStep {
 public:
  explicit ToChw(const RowType& row)
      : RowStep(RowStepKind::kGeneral, {row.dtype, {row.shape[2], row.shape[0], row.shape[1]}}),
        pixels_(static_cast<size_t>(row.shape[0] * row.shape[1])),
        channels_(static_cast<size_t>(row.shape[2])),
        bytes_(static_cast<size_t>(byte_size(row.dtype))) {}

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    switch (bytes_) {
      case 1:
        return move<uint8_t>(row, out);
      case 2:
        return move<uint16_t>(row, out);
      case 4:
        return move<uint32_t>(row, out);
      default:
        return move_bytes(row, out);
    }
  }

 private:
  template <typename Word>
  void move(std::span<const std::byte> row, std::span<std::byte> out) const {
    const Word* from = internal::elements<Word>(row).data();
    Word* to = internal::elements<Word>(out).data();
    for (size_t c = 0; c < channels_; ++c, to += pixels_)
      for (size_t pixel = 0; pixel < pixels_; ++pixel) to[pixel] = from[pixel * channels_ + c];
  }
  void move_bytes(std::span<const std::byte> row, std::span<std::byte> out) const {
    std::byte* to = out.data();
    for (size_t c = 0; c < channels_; ++c)
      for (size_t pixel = 0; pixel < pixels_; ++pixel, to += bytes_)
        std::memcpy(to, row.data() + (pixel * channels_ + c) * bytes_, bytes_);
  }

  size_t pixels_;
  size_t channels_;
  size_t bytes_;
};

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> /*arguments*/,
                              const RowType& row) {
  require(row.shape.size() == 3, "to_chw works on rows [h,w,c], not on {}", to_string(row));
  if (row.shape[2] == 1) return internal::relabel({row.dtype, {1, row.shape[0], row.shape[1]}});
  return std::make_unique<ToChw>(row);
}

}  // namespace

TransformDef transform_to_chw() {
  return {.notation = "to_chw",
          .doc = "[h,w,c] to [c,h,w], MindSpore's vision.HWC2CHW",
          .takes_pixels = true,
          .gives_planes = true,
          .bind = bind};
}

}  // namespace tessera
