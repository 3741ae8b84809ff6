#include "tessera/base/workers.h"

#include <gtest/gtest.h>

#include <string>

namespace tessera {
namespace {

TEST(Workers, CallEveryPartOnceAndPassErrorsOn) {
  Workers workers(3);
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<std::atomic<int>> calls(static_cast<size_t>(trial % 9));
    const auto count = [&](size_t part) { ++calls[part]; };
    workers.run(calls.size(), IndexTask(count));
    for (const std::atomic<int>& called : calls) EXPECT_EQ(called, 1);
  }
  const ErrorContext context([] { return std::string("counting"); });
  const auto broken = [](size_t part) {
    if (part == 5) fail(ErrorCode::kNotFound, "part {}", part);
  };
  try {
    workers.run(8, IndexTask(broken));
    FAIL() << "part 5 fails";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("part 5\n  while counting"), std::string::npos)
        << error.what();
  }
}

TEST(Workers, KeepTheirPartsFromRunToRun) {
  constexpr size_t kThreads = 4;
  Workers workers(kThreads - 1);
  std::vector<std::thread::id> first(kThreads);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::thread::id> threads(kThreads);
    std::atomic<size_t> begun = 0;
    const auto wait_for_all = [&](size_t part) {
      threads[part] = std::this_thread::get_id();
      for (++begun; begun < kThreads;) std::this_thread::yield();
    };
    workers.run(kThreads, IndexTask(wait_for_all));
    if (trial == 0) first = threads;
    EXPECT_EQ(threads, first);
  }
  EXPECT_EQ(first[0], std::this_thread::get_id());
}

// Whoever is slow keeps the others from nothing but the part it is at.
TEST(Workers, TakeOverWhatASlowOneHasNotBegun) {
  Workers workers(1);
  std::atomic<int> others = 0;
  const auto task = [&](size_t part) {
    if (part > 0) {
      ++others;
      return;
    }
    while (others < 7) std::this_thread::yield();
  };
  workers.run(8, IndexTask(task));
  EXPECT_EQ(others, 7);
}

}  // namespace
}  // namespace tessera
