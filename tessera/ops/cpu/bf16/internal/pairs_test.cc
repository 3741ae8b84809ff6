#include "tessera/ops/cpu/bf16/internal/pairs.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <random>

#include "tessera/ops/precision_support.h"
#include "tessera/tensor/tensor.h"

namespace tessera::internal {
namespace {

/// Floats of every kind: ties between two neighbours, denormals, infinities, NaNs.
std::vector<float> floats_of_all_kinds(size_t count) {
  std::mt19937 random(5);
  std::vector<float> made = {0.0F,
                             -0.0F,
                             1.0F + 0x1p-8F,
                             1.0F + 0x3p-8F,
                             std::numeric_limits<float>::max(),
                             std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(),
                             0x1p-149F};
  while (made.size() < count) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (value == value) made.push_back(value);
  }
  return made;
}

uint32_t stored_as_bf16(float value) {
  const Tensor one = Tensor::of<float>(std::span(&value, 1), {1}).cast(DType::kBF16);
  uint16_t bits = 0;
  std::memcpy(&bits, one.bytes().data(), sizeof bits);
  return bits;
}

TEST(Pairs, AreRoundedAsStoredTensorsAre) {
  const std::vector<float> values = floats_of_all_kinds(20000);
  for (size_t i = 0; i + 1 < values.size(); ++i) {
    const auto pair = std::bit_cast<uint32_t>(pair_of(values[i], values[i + 1]));
    ASSERT_EQ(pair & 0xFFFFU, stored_as_bf16(values[i])) << values[i];
    ASSERT_EQ(pair >> 16, stored_as_bf16(values[i + 1])) << values[i + 1];
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto pair = std::bit_cast<uint32_t>(pair_of(nan, std::bit_cast<float>(0x7F80'0001U)));
  EXPECT_GT(pair & 0x7FFFU, 0x7F80U);
  EXPECT_GT(pair >> 16 & 0x7FFFU, 0x7F80U);
}

TEST(Pairs, OfAnImageAreItsNeighbouringChannels) {
  if (available_simd() == Simd::kNone) GTEST_SKIP() << "pairs are rounded in vectors";
  const std::vector<float> values = floats_of_all_kinds(2 * 7 * 60);
  for (int64_t channels = 1; channels <= 45; ++channels) {
    for (const bool is_plain : {false, true}) {
      const PairSource source{.images = 2,
                              .pixels = 7,
                              .channels = channels,
                              .pitch = channels + 3,
                              .is_plain = is_plain,
                              .threads = 2};
      const int64_t count = pair_count(channels);
      std::vector<float> pairs(static_cast<size_t>(14 * count));
      round_to_pairs(source, values.data(), pairs.data());
      const auto at = [&](int64_t pixel, int64_t c) {
        if (c >= channels) return 0.0F;
        return values[static_cast<size_t>(is_plain ? (pixel / 7 * channels + c) * 7 + pixel % 7
                                                   : pixel * source.pitch + c)];
      };
      for (int64_t pixel = 0; pixel < 14; ++pixel) {
        for (int64_t c = 0; c < channels; c += 2) {
          const float found = pairs[static_cast<size_t>(pixel * count + c / 2)];
          ASSERT_EQ(std::bit_cast<uint32_t>(found),
                    std::bit_cast<uint32_t>(pair_of(at(pixel, c), at(pixel, c + 1))))
              << "channel " << c << " of " << channels;
        }
      }
    }
  }
}

TEST(Pairs, WhatIsMissingIsNamed) {
  EXPECT_TRUE(precision_support(Precision::kF32).ok);
  const Support support = precision_support(Precision::kBf16);
  EXPECT_EQ(support.ok, pair_simd() != Simd::kNone);
  if (support.ok) return;
  EXPECT_NE(support.reason.find("no AVX512_BF16"), std::string::npos) << support.reason;
  EXPECT_THROW(require_precision(Precision::kBf16), Error);
}

}  // namespace
}  // namespace tessera::internal
