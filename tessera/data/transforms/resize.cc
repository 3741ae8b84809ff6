// Resizing as OpenCV 4 does it on unsigned bytes, which is what MindSpore calls. Linear:
//   1. Destination pixel x takes source pixels floor(f) and floor(f) + 1, f = (x + 0.5)·scale -
//   0.5,
//      with weights 1 - (f - floor(f)) and f - floor(f); scale is computed in double, f in float.
//   2. Weights become integers: times 2048, rounded to nearest even. Across, pixels beyond an edge
//      count as the edge with all the weight on it; downwards the row at the edge is taken twice.
//   3. Across: S = a0·p0 + a1·p1. Downwards: (((b0·(S0 >> 4)) >> 16) + ((b1·(S1 >> 4)) >> 16) + 2)
//   >> 2.
//   4. Halving both sides is the mean of four pixels, rounded half up.
// Nearest: source pixel floor(x·scale).
#include <algorithm>
#include <cmath>

#include "tessera/data/internal/arguments.h"

namespace tessera {
namespace {

/// Which two source positions one destination position takes, and with which weights of 2048.
struct Tap {
  int64_t first = 0;
  int64_t second = 0;
  int16_t first_weight = 0;
  int16_t second_weight = 0;
};

double scale_of(int64_t from, int64_t to) {
  return 1.0 / (static_cast<double>(to) / static_cast<double>(from));
}

int16_t fixed(float weight) {
  return static_cast<int16_t>(std::nearbyint(weight * 2048.0F));
}

std::vector<Tap> linear_taps(int64_t from, int64_t to, bool edge_takes_all) {
  std::vector<Tap> taps;
  for (int64_t x = 0; x < to; ++x) {
    auto f = static_cast<float>((static_cast<double>(x) + 0.5) * scale_of(from, to) - 0.5);
    auto at = static_cast<int64_t>(std::floor(f));
    f -= static_cast<float>(at);
    if (edge_takes_all && (at < 0 || at >= from - 1)) {
      at = std::clamp<int64_t>(at, 0, from - 1);
      f = 0;
    }
    taps.push_back({std::clamp<int64_t>(at, 0, from - 1), std::clamp<int64_t>(at + 1, 0, from - 1),
                    fixed(1.0F - f), fixed(f)});
  }
  return taps;
}

class LinearResize final : public RowStep {
 public:
  LinearResize(const RowType& row, int64_t height, int64_t width)
      : RowStep(RowStepKind::kGeneral, {DType::kU8, {height, width, row.shape[2]}}),
        line_(row.shape[1] * row.shape[2]),
        down_(linear_taps(row.shape[0], height, false)) {
    const int64_t channels = row.shape[2];
    for (const Tap& tap : linear_taps(row.shape[1], width, true))
      for (int64_t c = 0; c < channels; ++c)
        across_.push_back({tap.first * channels + c, tap.second * channels + c, tap.first_weight,
                           tap.second_weight});
  }

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const size_t width = across_.size();
    std::vector<int16_t> lines(2 * width);  // two source lines after the pass across
    int16_t* upper = lines.data();
    int16_t* lower = lines.data() + width;
    int64_t upper_is = -1;
    int64_t lower_is = -1;
    auto* to = reinterpret_cast<uint8_t*>(out.data());
    for (const Tap& tap : down_) {
      if (tap.first == lower_is) {
        std::swap(upper, lower);
        std::swap(upper_is, lower_is);
      }
      if (tap.first != upper_is) pass_across(row, upper_is = tap.first, upper);
      if (tap.second != lower_is) pass_across(row, lower_is = tap.second, lower);
      blend(upper, lower, tap, to);
      to += width;
    }
  }

 private:
  void pass_across(std::span<const std::byte> row, int64_t y, int16_t* line) const {
    const auto* from = reinterpret_cast<const uint8_t*>(row.data()) + y * line_;
    for (const Tap& tap : across_)
      *line++ = static_cast<int16_t>(
          (from[tap.first] * tap.first_weight + from[tap.second] * tap.second_weight) >> 4);
  }
  void blend(const int16_t* upper, const int16_t* lower, const Tap& tap, uint8_t* to) const {
    for (size_t x = 0; x < across_.size(); ++x)
      to[x] = static_cast<uint8_t>(
          ((tap.first_weight * upper[x] >> 16) + (tap.second_weight * lower[x] >> 16) + 2) >> 2);
  }

  int64_t line_;
  std::vector<Tap> across_;
  std::vector<Tap> down_;
};

class Halve final : public RowStep {
 public:
  explicit Halve(const RowType& row)
      : RowStep(RowStepKind::kGeneral,
                {DType::kU8, {row.shape[0] / 2, row.shape[1] / 2, row.shape[2]}}),
        line_(row.shape[1] * row.shape[2]),
        channels_(row.shape[2]) {}

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const Shape& shape = result().shape;
    auto* to = reinterpret_cast<uint8_t*>(out.data());
    const auto* from = reinterpret_cast<const uint8_t*>(row.data());
    for (int64_t y = 0; y < shape[0]; ++y)
      for (int64_t x = 0; x < shape[1]; ++x)
        for (int64_t c = 0; c < channels_; ++c) {
          const uint8_t* p = from + 2 * y * line_ + 2 * x * channels_ + c;
          *to++ = static_cast<uint8_t>(
              (p[0] + p[channels_] + p[line_] + p[line_ + channels_] + 2) >> 2);
        }
  }

 private:
  int64_t line_;
  int64_t channels_;
};

class NearestResize final : public RowStep {
 public:
  NearestResize(const RowType& row, int64_t height, int64_t width)
      : RowStep(RowStepKind::kGeneral, {DType::kU8, {height, width, row.shape[2]}}), row_(row) {
    for (int64_t y = 0; y < height; ++y) ys_.push_back(nearest(y, row.shape[0], height));
    for (int64_t x = 0; x < width; ++x) xs_.push_back(nearest(x, row.shape[1], width));
  }

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const int64_t channels = row_.shape[2];
    std::byte* to = out.data();
    for (const int64_t y : ys_)
      for (const int64_t x : xs_) {
        const std::byte* from = row.data() + (y * row_.shape[1] + x) * channels;
        to = std::copy(from, from + channels, to);
      }
  }

 private:
  static int64_t nearest(int64_t at, int64_t from, int64_t to) {
    return std::min(static_cast<int64_t>(std::floor(static_cast<double>(at) * scale_of(from, to))),
                    from - 1);
  }
  RowType row_;
  std::vector<int64_t> ys_;
  std::vector<int64_t> xs_;
};

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> arguments, const RowType& row) {
  const int64_t height = internal::extent_argument(arguments[0], "the height");
  const int64_t width = internal::extent_argument(arguments[1], "the width");
  constexpr int64_t kMostPixels = int64_t{1} << 28;
  require(height * width <= kMostPixels, "{}×{} is more than {} pixels", height, width,
          kMostPixels);
  const std::string_view how =
      arguments.size() > 2 ? std::string_view(arguments[2].text) : "linear";
  require(how == "linear" || how == "nearest", "resize is linear or nearest, not '{}'", how);
  require(row.dtype == DType::kU8 && row.shape.size() == 3,
          "resize works on rows u8[h,w,c], not on {}: it comes before rescale and to_chw",
          to_string(row));
  require(element_count(row.shape) > 0, "rows {} have no pixels to resize", to_string(row));
  if (height == row.shape[0] && width == row.shape[1]) return internal::relabel(row);
  if (how == "nearest") return std::make_unique<NearestResize>(row, height, width);
  if (row.shape[0] == 2 * height && row.shape[1] == 2 * width) return std::make_unique<Halve>(row);
  return std::make_unique<LinearResize>(row, height, width);
}

}  // namespace

TransformDef transform_resize() {
  return {.notation = "resize(HEIGHT,WIDTH[,linear|nearest])",
          .doc = "another size; u8 as OpenCV and MindSpore's vision.Resize compute it",
          .min_arguments = 2,
          .max_arguments = 3,
          .takes_pixels = true,
          .bind = bind};
}

}  // namespace tessera
