#include "tessera/ops/cpu/internal/parallel.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>

namespace tessera::internal {
namespace {

TEST(Halves, CoverTheCountOnceInPartsThatGetSmallerForEachThread) {
  for (const int threads : {1, 2, 3, 8}) {
    for (const int64_t count : {1, 2, 7, 24, 49, 196, 784, 3136, 12544}) {
      for (const int64_t least : {1, 12, 24}) {
        SCOPED_TRACE(std::to_string(count) + " in " + std::to_string(threads) + " shares, least " +
                     std::to_string(least));
        const std::vector<int64_t> ends = halving_ends(count, least, threads);
        ASSERT_EQ(ends.size() % static_cast<size_t>(threads), 0U);
        EXPECT_EQ(ends.back(), count);
        const size_t parts = ends.size() / static_cast<size_t>(threads);
        for (size_t i = 0; i < ends.size(); ++i) {
          const int64_t begin = i == 0 ? 0 : ends[i - 1];
          const int64_t size = ends[i] - begin;
          ASSERT_GE(size, 0);
          if (i % parts > 0) {
            ASSERT_LE(size, begin - (i == 1 ? 0 : ends[i - 2]) + 1) << "part " << i;
            ASSERT_GE(size + 1, least) << "part " << i;
          }
          if (i % parts == parts - 1) {
            const auto thread = static_cast<int64_t>(i / parts) + 1;
            ASSERT_EQ(ends[i], count * thread / threads) << "part " << i;
          }
        }
      }
    }
  }
}

TEST(Halves, EveryPartRunsOnce) {
  for (const int threads : {1, 2, 4}) {
    std::mutex mutex;
    std::multiset<int64_t> seen;
    parallel_halves(1000, 10, threads, [&](int64_t begin, int64_t end) {
      const std::scoped_lock lock(mutex);
      for (int64_t i = begin; i < end; ++i) seen.insert(i);
    });
    EXPECT_EQ(seen.size(), 1000U);
    EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 1000U);
  }
  parallel_halves(0, 10, 2, [](int64_t begin, int64_t end) { EXPECT_EQ(begin, end); });
}

}  // namespace
}  // namespace tessera::internal
