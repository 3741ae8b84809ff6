// Images of handwritten-looking digits that Tessera draws itself, for examples and tests that need
// a data set without shipping one: 28×28, grey, ink on black, as MNIST's images are. Image `index`
// of `seed` is the same on every machine and with every compiler: all arithmetic is in integers.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tessera {

inline constexpr int kDigitSide = 28;
inline constexpr int kDigitPixels = kDigitSide * kDigitSide;

/// A set of digits: images 0 … rows - 1 of a seed.
struct DigitSet {
  std::string_view name;
  uint64_t seed;
  int64_t rows;
};
/// The two sets of the example in examples/digits; no image is in both.
inline constexpr DigitSet kDigitTrainSet{"train", 1, 12000};
inline constexpr DigitSet kDigitTestSet{"test", 2, 3000};

/// Draws image `index` of `seed` into `pixels` (row-major) and returns the digit it shows, 0 … 9.
int draw_digit(uint64_t seed, uint64_t index, std::span<uint8_t, kDigitPixels> pixels);

}  // namespace tessera
