#include "tessera/tensor/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace tessera {
namespace {

using Kind = Distribution::Kind;

const RandomStream kStream(7, "w");

std::vector<float> numbers(const Distribution& distribution, int64_t count) {
  const Tensor all = sample(distribution, kStream, {DType::kF32, {count}}, whole({count}));
  const auto values = all.data<float>();
  return {values.begin(), values.end()};
}

double below(double x) {
  return std::erfc(-x / std::sqrt(2.0)) / 2;
}

/// The largest distance between the share of numbers below x and the probability of it.
template <typename Probability>
double distance(std::vector<float> found, const Probability& probability) {
  std::sort(found.begin(), found.end());
  double largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(found.size());
    largest = std::max(largest, std::abs(share - probability(found[i])));
  }
  return largest;
}

// 1.95 / sqrt(count) is exceeded by one honest sample in a thousand; these are fixed numbers.
constexpr int64_t kCount = 200'000;
const double kHonest = 1.95 / std::sqrt(static_cast<double>(kCount));

TEST(Distribution, TheQuantileUndoesTheNormalProbability) {
  EXPECT_EQ(normal_quantile(0.5), 0.0);
  for (double x = -37.5; x < 8; x += 0.0625)
    EXPECT_NEAR(normal_quantile(below(x)), x, x < 4 ? 1e-13 * (1 + std::abs(x)) : 0.01) << x;
}

TEST(Distribution, UniformNumbersAreUniform) {
  const auto found = numbers({.kind = Kind::kUniform, .center = 1, .spread = 0.25}, kCount);
  EXPECT_GE(*std::min_element(found.begin(), found.end()), 0.75F);
  EXPECT_LE(*std::max_element(found.begin(), found.end()), 1.25F);
  EXPECT_LT(distance(found, [](double x) { return (x - 0.75) / 0.5; }), kHonest);
}

TEST(Distribution, NormalNumbersAreNormal) {
  const auto found = numbers({.kind = Kind::kNormal, .center = -2, .spread = 0.5}, kCount);
  EXPECT_LT(distance(found, [](double x) { return below((x + 2) / 0.5); }), kHonest);
  EXPECT_LT(*std::min_element(found.begin(), found.end()), -2 - 4 * 0.5);
}

TEST(Distribution, CutNormalNumbersKeepTheFormBetweenTheBounds) {
  const Distribution cut{
      .kind = Kind::kNormal, .center = 1, .spread = 0.5, .low = -0.25, .high = 1.5};
  const auto found = numbers(cut, kCount);
  EXPECT_GE(*std::min_element(found.begin(), found.end()), -0.25F);
  EXPECT_LE(*std::max_element(found.begin(), found.end()), 1.5F);
  const double first = below(-2.5);
  EXPECT_LT(
      distance(found,
               [&](double x) { return (below((x - 1) / 0.5) - first) / (below(1.0) - first); }),
      kHonest);
}

TEST(Distribution, NeighboursKnowNothingOfEachOther) {
  const auto found = numbers({.kind = Kind::kNormal, .spread = 1}, kCount);
  for (const size_t step : {1U, 2U, 3U, 64U}) {
    double sum = 0;
    for (size_t i = step; i < found.size(); ++i)
      sum += static_cast<double>(found[i]) * static_cast<double>(found[i - step]);
    EXPECT_LT(std::abs(sum / kCount), 3.3 / std::sqrt(kCount)) << step;
  }
}

TEST(Distribution, EveryPartHoldsTheNumbersOfTheWhole) {
  const Distribution normal{.kind = Kind::kNormal, .spread = 1};
  for (const Shape& shape : {Shape{5, 7, 3}, Shape{1}, Shape{64, 1031}, Shape{200'003}, Shape{}}) {
    const Whole all{DType::kF32, shape};
    const Tensor wanted = sample(normal, kStream, all, whole(shape), 1);
    for (int64_t cut = 0; cut < 8; ++cut) {
      Box part = whole(shape);
      for (size_t d = 0; d < shape.size(); ++d) {
        const int64_t middle = shape[d] * (cut % 3) / 3;
        part.begin[d] = (cut >> d & 1) != 0 ? middle : 0;
        part.size[d] = (cut >> d & 1) != 0 ? shape[d] - middle : std::max<int64_t>(1, middle);
      }
      const Tensor found = sample(normal, kStream, all, part, 1 + static_cast<int>(cut % 3));
      const Tensor there = wanted.slice(part).contiguous();
      EXPECT_TRUE(std::ranges::equal(found.data<float>(), there.data<float>()))
          << to_string(shape) << " at " << to_string(part);
    }
  }
}

TEST(Distribution, OtherDtypesHoldTheSameNumbersRounded) {
  const Distribution normal{.kind = Kind::kNormal, .spread = 1};
  const Tensor found = sample(normal, kStream, {DType::kBF16, {100}}, whole({100}));
  const Tensor wanted =
      sample(normal, kStream, {DType::kF32, {100}}, whole({100})).cast(DType::kBF16);
  EXPECT_TRUE(std::ranges::equal(found.bytes(), wanted.bytes()));
}

TEST(Distribution, ConstantsAndNoSpreadAreOneNumber) {
  for (const Kind kind : {Kind::kConstant, Kind::kUniform, Kind::kNormal})
    for (const float value : numbers({.kind = kind, .center = 1.5}, 9)) EXPECT_EQ(value, 1.5F);
  EXPECT_TRUE(numbers({.kind = Kind::kNormal, .spread = 1}, 0).empty());
}

TEST(Distribution, WhatCannotBeSampledIsRefused) {
  EXPECT_THROW(numbers({.kind = Kind::kNormal, .spread = -1}, 1), Error);
  EXPECT_THROW(numbers({.kind = Kind::kNormal, .spread = 1, .low = 2, .high = 1}, 1), Error);
  EXPECT_THROW(numbers({.kind = Kind::kUniform, .spread = std::nan("")}, 1), Error);
}

}  // namespace
}  // namespace tessera
