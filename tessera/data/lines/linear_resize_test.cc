// Against OpenCV, which computes whole pictures in its own way.
#include "tessera/data/lines/linear_resize.h"

#include <gtest/gtest.h>

#include <random>

#include "tessera/data/internal/resize_pixels.h"

namespace tessera::internal {
namespace {

std::vector<uint8_t> resized_by_opencv(const Shape& from, const Shape& to,
                                       const std::vector<uint8_t>& pixels) {
  std::vector<uint8_t> out(static_cast<size_t>(element_count(to)));
  resize_pixels({{DType::kU8, from}, {DType::kU8, to}}, std::as_bytes(std::span(pixels)),
                std::as_writable_bytes(std::span(out)));
  return out;
}

PixelBox random_part(const Shape& to, std::mt19937& random) {
  PixelBox part;
  part.top = static_cast<int64_t>(random() % static_cast<uint32_t>(to[0]));
  part.left = static_cast<int64_t>(random() % static_cast<uint32_t>(to[1]));
  part.bottom = part.top + 1 + static_cast<int64_t>(random() % (to[0] - part.top));
  part.right = part.left + 1 + static_cast<int64_t>(random() % (to[1] - part.left));
  return part;
}

/// How many bytes of the part are wrong, and how many outside were written.
int64_t count_differences(const Shape& from, const Shape& to, const PixelBox& part,
                          std::mt19937& random) {
  std::vector<uint8_t> pixels(static_cast<size_t>(element_count(from)));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
  const std::vector<uint8_t> wanted = resized_by_opencv(from, to, pixels);
  const std::vector<uint8_t> before(wanted.size(), 77);
  std::vector<uint8_t> found = before;
  LinearResize(from, to, part).run(pixels.data(), found.data());
  int64_t differences = 0;
  for (int64_t i = 0; i < std::ssize(found); ++i) {
    const int64_t y = i / (to[1] * to[2]);
    const int64_t x = i / to[2] % to[1];
    const bool inside = y >= part.top && y < part.bottom && x >= part.left && x < part.right;
    const auto at = static_cast<size_t>(i);
    differences += found[at] != (inside ? wanted : before)[at] ? 1 : 0;
  }
  return differences;
}

TEST(LinearResize, EverySizeAndPartHasThePixelsOfOpenCV) {
  std::mt19937 random(3);
  const auto extent = [&](uint32_t most) { return static_cast<int64_t>(1 + random() % most); };
  for (int trial = 0; trial < 1500; ++trial) {
    const int64_t channels = std::array<int64_t, 5>{3, 1, 3, 4, 2}[random() % 5];
    const uint32_t most = trial % 50 == 0 ? 600 : trial % 3 == 0 ? 9 : 60;
    const Shape from{extent(most), extent(most), channels};
    const Shape to{extent(most), extent(most), channels};
    if (!LinearResize::is_used(from, to)) continue;
    const PixelBox part = trial % 2 == 0 ? PixelBox{0, to[0], 0, to[1]} : random_part(to, random);
    EXPECT_EQ(count_differences(from, to, part, random), 0)
        << to_string(from) << " to " << to_string(to) << " part " << part.top << "-" << part.bottom
        << " × " << part.left << "-" << part.right;
  }
}

TEST(LinearResize, HalvesAreNotLinear) {
  EXPECT_FALSE(LinearResize::is_used({64, 20, 3}, {32, 10, 3}));
  EXPECT_TRUE(LinearResize::is_used({64, 20, 3}, {32, 11, 3}));
  EXPECT_TRUE(LinearResize::is_used({32, 10, 3}, {64, 20, 3}));
}

}  // namespace
}  // namespace tessera::internal
