#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "tessera/data/internal/arguments.h"
#include "tessera/data/internal/resize_pixels.h"
#include "tessera/data/lines/line_steps.h"
#include "tessera/data/lines/linear_resize.h"

namespace tessera {
namespace {

using internal::Interpolation;

constexpr std::array<std::pair<std::string_view, Interpolation>, 4> kInterpolations = {
    {{"linear", Interpolation::kLinear},
     {"nearest", Interpolation::kNearest},
     {"cubic", Interpolation::kCubic},
     {"area", Interpolation::kArea}}};

class Resize final : public RowStep, public internal::GivesLines {
 public:
  Resize(const RowType& row, int64_t height, int64_t width, Interpolation how)
      : RowStep(RowStepKind::kGeneral, {row.dtype, {height, width, row.shape[2]}}),
        row_(row),
        how_(how) {
    prepare({0, height, 0, width});
  }

  std::optional<PixelBox> needed(const std::optional<PixelBox>& wanted) const override {
    if (!wanted) return std::nullopt;
    const Shape& to = result().shape;
    const auto [top, bottom] = sources(wanted->top, wanted->bottom, row_.shape[0], to[0]);
    const auto [left, right] = sources(wanted->left, wanted->right, row_.shape[1], to[1]);
    return PixelBox{top, bottom, left, right};
  }
  std::shared_ptr<const RowStep> for_part(const PixelBox& wanted) const override {
    auto step = std::make_shared<Resize>(*this);
    step->wanted_ = wanted;
    step->prepare(wanted);
    return step;
  }
  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    if (linear_)
      return linear_->run(internal::elements<uint8_t>(row).data(),
                          internal::elements<uint8_t>(out).data());
    internal::resize_pixels(
        {row_, result(), how_, wanted_ ? wanted_->bottom : 0, wanted_ ? wanted_->right : 0}, row,
        out);
  }
  bool gives_lines_of(const PixelBox& part) const override {
    return linear_ && linear_->part() == part;
  }
  void give_lines(std::span<const std::byte> row, const internal::LineTask& take) const override {
    linear_->run(internal::elements<uint8_t>(row).data(), take);
  }

 private:
  /// The places that `begin` … `end` - 1 of the result are computed from, and a few around them:
  /// every interpolation looks at most two places beyond where a place of the result lies.
  static std::pair<int64_t, int64_t> sources(int64_t begin, int64_t end, int64_t from, int64_t to) {
    constexpr int64_t kAround = 4;
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    const auto first = static_cast<int64_t>(std::floor(static_cast<double>(begin) * scale));
    const auto last = static_cast<int64_t>(std::ceil(static_cast<double>(end) * scale));
    return {std::max<int64_t>(0, first - kAround), std::min(from, last + kAround)};
  }

  void prepare(const PixelBox& part) {
    const bool is_linear = how_ == Interpolation::kLinear && row_.dtype == DType::kU8 &&
                           internal::LinearResize::is_used(row_.shape, result().shape);
    if (is_linear) linear_.emplace(row_.shape, result().shape, part);
  }

  RowType row_;
  Interpolation how_;
  std::optional<internal::LinearResize> linear_;  // nothing: OpenCV does it
  std::optional<PixelBox> wanted_;                // of the result
};

Interpolation interpolation_of(std::span<const TransformArgument> words) {
  if (words.empty()) return Interpolation::kLinear;
  for (const auto& [name, how] : kInterpolations)
    if (name == words[0].text) return how;
  fail(ErrorCode::kInvalidArgument, "resize is linear, nearest, cubic or area, not '{}'",
       words[0].text);
}

/// The other side of a picture whose shorter side becomes `size`: in float, cut, as MindSpore.
int64_t longer_side(int64_t longer, int64_t shorter, int64_t size) {
  return static_cast<int64_t>(static_cast<float>(longer) / static_cast<float>(shorter) *
                              static_cast<float>(size));
}

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> arguments, const RowType& row) {
  require((row.dtype == DType::kU8 || row.dtype == DType::kF32) && row.shape.size() == 3,
          "resize works on rows u8[h,w,c] or f32[h,w,c], not on {}: it comes before to_chw",
          to_string(row));
  require(element_count(row.shape) > 0, "rows {} have no pixels to resize", to_string(row));
  require(row.shape[2] <= internal::kMaxResizeChannels, "rows {} have more than {} channels",
          to_string(row), internal::kMaxResizeChannels);
  const auto word = std::find_if(arguments.begin(), arguments.end(),
                                 [](const auto& argument) { return argument.numbers.empty(); });
  const auto extents = arguments.first(static_cast<size_t>(word - arguments.begin()));
  const Interpolation how = interpolation_of(arguments.subspan(extents.size()));
  require(
      !extents.empty() && arguments.size() - extents.size() <= 1 && extents.size() <= 2,
      "resize is written resize(SIZE) or resize(HEIGHT,WIDTH), each with an interpolation after "
      "it if wanted");
  int64_t height = internal::extent_argument(
      extents[0], extents.size() == 1 ? "the shorter side" : "the height");
  int64_t width = height;
  if (extents.size() == 2)
    width = internal::extent_argument(extents[1], "the width");
  else if (row.shape[0] < row.shape[1])
    width = longer_side(row.shape[1], row.shape[0], height);
  else
    height = longer_side(row.shape[0], row.shape[1], width);
  constexpr int64_t kMostPixels = int64_t{1} << 28;
  require(height <= kMostPixels / width, "{}×{} is more than {} pixels", height, width,
          kMostPixels);
  if (height == row.shape[0] && width == row.shape[1]) return internal::relabel(row);
  return std::make_unique<Resize>(row, height, width, how);
}

}  // namespace

TransformDef transform_resize() {
  return {.notation = "resize(SIZE|HEIGHT,WIDTH[,linear|nearest|cubic|area])",
          .doc = "another size, or SIZE for the shorter side, as MindSpore's vision.Resize",
          .min_arguments = 1,
          .max_arguments = 3,
          .takes_pixels = true,
          .bind = bind};
}

}  // namespace tessera
