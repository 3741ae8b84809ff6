// Chains whose steps are joined by lines, against OpenCV's resize and loops that do one thing each.
#include "tessera/data/lines/line_steps.h"

#include <gtest/gtest.h>

#include <random>

#include "tessera/data/internal/resize_pixels.h"
#include "tessera/data/internal/row_chain.h"

namespace tessera::internal {
namespace {

using Pixels = std::vector<uint8_t>;

struct Recipe {
  Shape from;  // [h,w,c]
  int64_t height = 1;
  int64_t width = 1;
  int64_t crop_height = 0;  // 0: no crop
  int64_t crop_width = 0;
  bool has_planes = true;

  std::string text() const {
    std::string text = fmt::format("resize({},{})", height, width);
    if (crop_height > 0) text += fmt::format(" center_crop({},{})", crop_height, crop_width);
    text +=
        from[2] == 3 ? " normalize([123.7,100.2,90.1],[58.4,57.1,60])" : " normalize(33.3,78.6)";
    return has_planes ? text + " to_chw" : text;
  }
};

Pixels resized(const Recipe& recipe, const Pixels& pixels) {
  const Shape to{recipe.height, recipe.width, recipe.from[2]};
  if (to == recipe.from) return pixels;
  Pixels out(static_cast<size_t>(element_count(to)));
  resize_pixels({{DType::kU8, recipe.from}, {DType::kU8, to}}, std::as_bytes(std::span(pixels)),
                std::as_writable_bytes(std::span(out)));
  return out;
}

/// Zeros where the crop is larger; an odd one of them comes first.
int64_t place_before_crop(int64_t place, int64_t from, int64_t to) {
  return to > from ? place - (to - from + 1) / 2 : place + (from - to) / 2;
}

std::vector<float> wanted_of(const Recipe& recipe, const Pixels& pixels) {
  constexpr float kMean[] = {123.7F, 100.2F, 90.1F};
  constexpr float kDeviation[] = {58.4F, 57.1F, 60};
  const Pixels picture = resized(recipe, pixels);
  const int64_t channels = recipe.from[2];
  const int64_t height = recipe.crop_height > 0 ? recipe.crop_height : recipe.height;
  const int64_t width = recipe.crop_height > 0 ? recipe.crop_width : recipe.width;
  std::vector<float> out(static_cast<size_t>(height * width * channels));
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t from_y = place_before_crop(y, recipe.height, height);
        const int64_t from_x = place_before_crop(x, recipe.width, width);
        const bool inside =
            from_y >= 0 && from_y < recipe.height && from_x >= 0 && from_x < recipe.width;
        const auto at = static_cast<size_t>((from_y * recipe.width + from_x) * channels + c);
        const auto value = static_cast<float>(inside ? picture[at] : 0);
        const int64_t to =
            recipe.has_planes ? (c * height + y) * width + x : (y * width + x) * channels + c;
        out[static_cast<size_t>(to)] =
            channels == 3 ? (value - kMean[c]) / kDeviation[c] : (value - 33.3F) / 78.6F;
      }
  return out;
}

void check(const Recipe& recipe, std::mt19937& random) {
  Pixels pixels(static_cast<size_t>(element_count(recipe.from)));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
  const RowChain chain(parse_transforms(recipe.text()), {DType::kU8, recipe.from});
  std::vector<float> found(static_cast<size_t>(element_count(chain.result().shape)), -77.0F);
  RowChain::Scratch scratch;
  chain.run(std::as_bytes(std::span(pixels)), std::as_writable_bytes(std::span(found)), scratch);
  ASSERT_EQ(found, wanted_of(recipe, pixels)) << to_string(recipe.from) << " " << recipe.text();
}

TEST(LineSteps, EveryRecipeHasThePixelsOfItsStepsOneByOne) {
  std::mt19937 random(11);
  const auto extent = [&](uint32_t most) { return static_cast<int64_t>(1 + random() % most); };
  for (int trial = 0; trial < 800; ++trial) {
    const uint32_t most = trial % 40 == 0 ? 400 : trial % 4 == 0 ? 5 : 90;
    Recipe recipe{.from = {extent(most), extent(most), trial % 3 == 0 ? 1 : 3},
                  .height = extent(most),
                  .width = extent(most),
                  .has_planes = trial % 5 != 0};
    if (trial % 4 != 1) {
      // Within the picture, but for some larger in one dim or both.
      recipe.crop_height = extent(static_cast<uint32_t>(recipe.height) + (trial % 8 == 2 ? 9 : 0));
      recipe.crop_width = extent(static_cast<uint32_t>(recipe.width) + (trial % 8 == 6 ? 9 : 0));
    }
    check(recipe, random);
  }
}

TEST(LineSteps, TheRecipesInUseHaveThePixelsOfTheirSteps) {
  std::mt19937 random(12);
  check({.from = {1, 1, 3}, .height = 1, .width = 1}, random);
  check({.from = {28, 28, 1}, .height = 32, .width = 32}, random);
  check({.from = {375, 500, 3}, .height = 256, .width = 341, .crop_height = 224, .crop_width = 224},
        random);
  check(
      {.from = {600, 1600, 3}, .height = 256, .width = 682, .crop_height = 224, .crop_width = 224},
      random);
  check({.from = {40, 30, 3}, .height = 341, .width = 256, .crop_height = 224, .crop_width = 299},
        random);
}

TEST(LineSteps, AStepBetweenTheResizeAndTheCropStaysRight) {
  // The crop tells the resize what it needs through the table, which then takes no lines.
  std::mt19937 random(13);
  Recipe recipe{.from = {50, 61, 3}, .height = 30, .width = 33};
  Pixels pixels(static_cast<size_t>(element_count(recipe.from)));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
  const auto run = [&](std::string_view text) {
    const RowChain chain(parse_transforms(text), {DType::kU8, recipe.from});
    std::vector<float> found(static_cast<size_t>(element_count(chain.result().shape)));
    RowChain::Scratch scratch;
    chain.run(std::as_bytes(std::span(pixels)), std::as_writable_bytes(std::span(found)), scratch);
    return found;
  };
  const std::string normalize = "normalize([123.7,100.2,90.1],[58.4,57.1,60])";
  EXPECT_EQ(run("resize(30,33) " + normalize + " center_crop(21,20)"),
            run("resize(30,33) center_crop(21,20) " + normalize));
}

}  // namespace
}  // namespace tessera::internal
