#include "tessera/reshard/compare_sources.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "tests/support/memory_job.h"

namespace tessera {
namespace {

using testing::MemoryJob;
using testing::NamedTensors;

Comparison compare(const Source& a, const Source& b, Tolerance tolerance = {}) {
  CompareOptions options;
  options.tolerance = tolerance;
  options.plan.threads = 2;
  return compare_sources(a, b, options);
}

/// Changes `count` elements at random; returns the flat indices of those that changed.
std::set<int64_t> disturb(Tensor& tensor, int count, MemoryJob& job) {
  std::set<int64_t> changed;
  const int64_t width = byte_size(tensor.dtype());
  for (; count > 0; --count) {
    const int64_t at = job.pick(0, static_cast<int>(tensor.size()) - 1);
    tensor.mutable_bytes()[static_cast<size_t>(at * width)] ^= std::byte{1};
    if (!changed.insert(at).second) changed.erase(at);
  }
  return changed;
}

TEST(CompareSources, CountsAndFindsWhatDiffersHoweverBothAreCut) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    MemoryJob job(seed);
    const NamedTensors tensors = job.tensors();
    NamedTensors others;
    std::map<std::string, std::set<int64_t>> changed;
    for (const auto& [name, tensor] : tensors) {
      others.emplace_back(name, tensor.clone());
      if (job.pick(0, 1) == 0) changed[name] = disturb(others.back().second, job.pick(0, 5), job);
      if (changed[name].empty()) changed.erase(name);
    }
    const Comparison found = compare(job.open_cut(tensors, "a"), job.open_cut(others, "b"));
    ASSERT_EQ(found.differences.size(), changed.size()) << "seed " << seed;
    ASSERT_EQ(found.equal, tensors.size() - changed.size());
    for (const Difference& one : found.differences) {
      const std::set<int64_t>& wanted = changed.at(one.name);
      ASSERT_TRUE(one.has_values);
      EXPECT_EQ(one.values.differing, wanted.size()) << "seed " << seed;
      EXPECT_EQ(one.values.beyond, wanted.size());
      EXPECT_EQ(one.values.first_beyond, *wanted.begin()) << "seed " << seed;
    }
  }
}

TEST(CompareSources, NamesDtypesAndShapes) {
  MemoryJob job(1);
  const Tensor x = job.tensor(DType::kI32, {2, 3});
  const Comparison found = compare(
      job.open_whole({{"both", x}, {"gone", x}, {"turned", x}, {"cast", x}}, "a"),
      job.open_whole(
          {{"new", x}, {"both", x}, {"turned", x.reshape({3, 2})}, {"cast", x.cast(DType::kI64)}},
          "b"));
  EXPECT_EQ(found.equal, 1U);
  std::map<std::string, Difference> by_name;
  for (const Difference& one : found.differences) by_name[one.name] = one;
  ASSERT_EQ(by_name.size(), 4U);
  EXPECT_EQ(by_name["gone"].b, "");
  EXPECT_EQ(by_name["new"].a, "");
  EXPECT_EQ(by_name["turned"].a, "i32[2,3]");
  EXPECT_EQ(by_name["turned"].b, "i32[3,2]");
  EXPECT_FALSE(by_name["turned"].has_values);
  EXPECT_EQ(by_name["cast"].b, "i64[2,3]");
  EXPECT_TRUE(by_name["cast"].has_values);
  EXPECT_EQ(by_name["cast"].values.differing, 0U);
}

Tensor floats(std::vector<float> values) {
  return Tensor::of<float>(values, {static_cast<int64_t>(values.size())});
}

TEST(CompareSources, MeasuresAndTolerates) {
  MemoryJob job(2);
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const Source a = job.open_whole({{"w", floats({1, 2, -4, 0, 100})}}, "a");
  const Source b = job.open_whole({{"w", floats({1, 2.5, -4, -0.0F, 101})}}, "b");
  const Comparison exact = compare(a, b);
  ASSERT_EQ(exact.differences.size(), 1U);
  const Difference& found = exact.differences[0];
  EXPECT_EQ(found.values.differing, 3U);  // -0.0 has other bits than 0.0
  EXPECT_DOUBLE_EQ(found.values.largest_absolute, 1.0);
  EXPECT_DOUBLE_EQ(found.values.largest_relative, 0.5 / 2.5);
  EXPECT_EQ(found.first, (Shape{1}));
  EXPECT_EQ(compare(a, b, {.absolute = 0.75}).differences[0].first, (Shape{4}));
  EXPECT_EQ(compare(a, b, {.absolute = 0.75}).differences[0].values.beyond, 1U);
  const Comparison close = compare(a, b, {.relative = 0.2});
  EXPECT_TRUE(close.is_equal());
  ASSERT_EQ(close.close.size(), 1U);
  EXPECT_EQ(close.close[0].values.differing, 3U);

  const Source c = job.open_whole({{"w", floats({kNaN, 2, -4, 0, 100})}}, "c");
  EXPECT_TRUE(compare(c, c).is_equal());
  const Comparison with_nan = compare(a, c, {.relative = 10, .absolute = 10});
  ASSERT_EQ(with_nan.differences.size(), 1U);
  EXPECT_TRUE(std::isinf(with_nan.differences[0].values.largest_absolute));
}

TEST(CompareSources, IntegersDifferExactly) {
  MemoryJob job(2);
  const int64_t large = int64_t{1} << 62;
  const std::vector<int64_t> x{large, -large, std::numeric_limits<int64_t>::min()};
  const std::vector<int64_t> y{large + 1, -large, std::numeric_limits<int64_t>::max()};
  const Source a = job.open_whole({{"n", Tensor::of<int64_t>(x, {3})}}, "a");
  const Source b = job.open_whole({{"n", Tensor::of<int64_t>(y, {3})}}, "b");
  const Comparison found = compare(a, b, {.absolute = 0.5});
  ASSERT_EQ(found.differences.size(), 1U);
  EXPECT_EQ(found.differences[0].values.beyond, 2U);
  EXPECT_DOUBLE_EQ(found.differences[0].values.largest_absolute, std::ldexp(1.0, 64));
  EXPECT_EQ(compare(a, b, {.absolute = 2}).differences[0].values.beyond, 1U);
}

TEST(CompareSources, LargeTensorsInSlabsOfEitherSide) {
  MemoryJob job(9);
  const Tensor x = job.tensor(DType::kF32, {900, 401});
  Tensor y = x.clone();
  y.mutable_bytes()[(777 * 401 + 400) * 4] ^= std::byte{1};
  y.mutable_bytes()[(41 * 401 + 3) * 4] ^= std::byte{1};
  CompareOptions options;
  options.plan.memory = 1 << 20;
  options.plan.threads = 2;
  uint64_t last = 0, of = 0;
  options.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GE(done, last);
    last = done, of = total;
  };
  const Comparison found =
      compare_sources(job.open_cut({{"w", x}}, "a"), job.open_cut({{"w", y}}, "b"), options);
  ASSERT_EQ(found.differences.size(), 1U);
  EXPECT_EQ(found.differences[0].values.differing, 2U);
  EXPECT_EQ(found.differences[0].first, (Shape{41, 3}));
  EXPECT_EQ(last, of);
  EXPECT_EQ(found.bytes_read, of);
}

}  // namespace
}  // namespace tessera
