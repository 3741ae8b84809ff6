#include <algorithm>
#include <cstring>

#include "tessera/data/internal/arguments.h"

namespace tessera {
namespace {

/// Where one dim of the result takes its elements from: zeros before, then `count` from `begin` on,
/// zeros after.
struct Cut {
  int64_t zeros = 0;
  int64_t begin = 0;
  int64_t count = 0;

  /// An odd zero comes first; an odd element is left out last.
  Cut(int64_t from, int64_t to)
      : zeros(to > from ? (to - from + 1) / 2 : 0),
        begin(to < from ? (from - to) / 2 : 0),
        count(std::min(from, to)) {}
};

class CenterCrop final : public RowStep {
 public:
  CenterCrop(const RowType& row, int64_t height, int64_t width)
      : RowStep(height > row.shape[0] || width > row.shape[1] ? RowStepKind::kGeneral
                                                              : RowStepKind::kCut,
                {row.dtype, {height, width, row.shape[2]}}),
        down_(row.shape[0], height),
        across_(row.shape[1], width),
        pixel_(row.shape[2] * byte_size(row.dtype)),
        line_(row.shape[1] * pixel_) {}

  std::optional<PixelBox> needed(const std::optional<PixelBox>& /*wanted*/) const override {
    return PixelBox{down_.begin, down_.begin + down_.count, across_.begin,
                    across_.begin + across_.count};
  }
  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const int64_t line = result().shape[1] * pixel_;
    if (down_.zeros > 0 || across_.zeros > 0) std::fill(out.begin(), out.end(), std::byte{0});
    std::byte* to = out.data() + down_.zeros * line + across_.zeros * pixel_;
    const std::byte* from = row.data() + down_.begin * line_ + across_.begin * pixel_;
    for (int64_t y = 0; y < down_.count; ++y, to += line, from += line_)
      std::memcpy(to, from, static_cast<size_t>(across_.count * pixel_));
  }

 private:
  Cut down_;
  Cut across_;
  int64_t pixel_;
  int64_t line_;
};

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> arguments, const RowType& row) {
  require(row.shape.size() == 3, "center_crop works on rows [h,w,c], not on {}", to_string(row));
  const int64_t height = internal::extent_argument(arguments[0], "the height");
  const int64_t width = internal::extent_argument(arguments.back(), "the width");
  if (height == row.shape[0] && width == row.shape[1]) return internal::relabel(row);
  return std::make_unique<CenterCrop>(row, height, width);
}

}  // namespace

TransformDef transform_center_crop() {
  return {.notation = "center_crop(SIZE|HEIGHT,WIDTH)",
          .doc = "the middle, with zeros around a smaller picture; MindSpore's vision.CenterCrop",
          .min_arguments = 1,
          .max_arguments = 2,
          .takes_pixels = true,
          .bind = bind};
}

}  // namespace tessera
