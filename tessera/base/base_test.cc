#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

TEST(Error, SaysWhatTheProgramWasDoingInnermostFirst) {
  const ErrorContext outer([] { return std::string("evaluating"); });
  std::string text;
  try {
    const ErrorContext inner([] { return std::string("loading 'w'"); });
    fail(ErrorCode::kCorruptData, "found {}, wanted {}", 1, 2);
  } catch (const Error& error) {
    text = error.what();
    EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
  }
  EXPECT_EQ(text, "found 1, wanted 2\n  while loading 'w'\n  while evaluating");
  try {
    require(false, "later");
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "later\n  while evaluating");
  }
}

TEST(Error, DescribesAContextOnlyWhenThereIsAnError) {
  int described = 0;
  {
    const ErrorContext context([&] {
      ++described;
      return std::string("working");
    });
    require(true, "never");
  }
  EXPECT_EQ(described, 0);
}

TEST(Parallel, CallsEveryIndexOnceForAnyNumberOfThreads) {
  for (const int threads : {0, 1, 2, 3, 16}) {
    for (const size_t count : {0U, 1U, 2U, 1000U}) {
      std::vector<std::atomic<int>> calls(count);
      parallel_for(count, threads, [&](size_t i) { ++calls[i]; });
      for (const auto& n : calls) EXPECT_EQ(n, 1);
    }
  }
}

TEST(Parallel, ThrowsTheFirstErrorWithTheCallersContext) {
  const ErrorContext context([] { return std::string("reading shards"); });
  for (const int threads : {1, 4}) {
    std::atomic<int> calls = 0;
    try {
      parallel_for(10000, threads, [&](size_t i) {
        ++calls;
        if (i == 3) fail(ErrorCode::kIo, "shard {} is gone", i);
        // Slow enough that the thread with the error gets its turn before all calls are made.
        if (threads > 1 && i > 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      });
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "shard 3 is gone\n  while reading shards");
      EXPECT_EQ(error.code(), ErrorCode::kIo);
    }
    EXPECT_LT(calls, 10000);
  }
}

TEST(Parallel, NoNumberOfThreadsMeansTheProcessors) {
  EXPECT_EQ(thread_count(3), 3);
  EXPECT_EQ(thread_count(0), default_thread_count());
}

TEST(Parallel, MayBeCalledFromATask) {
  std::atomic<int> calls = 0;
  parallel_for(4, 2, [&](size_t) { parallel_for(5, 2, [&](size_t) { ++calls; }); });
  EXPECT_EQ(calls, 20);
}

TEST(Text, MatchesPatternsAsAShellDoes) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("fc*.weight", "fc1.weight"));
  EXPECT_TRUE(matches("*.weight", "a.b.weight"));
  EXPECT_TRUE(matches("a*b*c", "a-b-b-c"));
  EXPECT_TRUE(matches("fc?.bias", "fc2.bias"));
  EXPECT_FALSE(matches("fc?.bias", "fc22.bias"));
  EXPECT_FALSE(matches("fc*.weight", "fc1.weights"));
  EXPECT_FALSE(matches("", "a"));
  // Patterns that take exponential time when every '*' is tried everywhere.
  EXPECT_FALSE(matches(std::string(200, '*') + "b", std::string(5000, 'a')));
}

TEST(Text, JoinsTheFirstOfManyAndCountsTheRest) {
  const std::vector<std::string> names{"a", "b", "c"};
  EXPECT_EQ(join_first(names, 3), "a, b, c");
  EXPECT_EQ(join_first(names, 2), "a, b and 1 more");
  EXPECT_EQ(join_first({}, 2), "");
}

TEST(Text, SuggestsNamesThatLookAlike) {
  const std::vector<std::string> names{"conv1.weight", "conv2.weight", "fc.bias"};
  EXPECT_EQ(suggest("conv1.weigth", names), " (nearest: 'conv1.weight', 'conv2.weight')");
  EXPECT_EQ(suggest("backbone.fc.bias", names), " (nearest: 'fc.bias')");
  EXPECT_EQ(suggest("unrelated", names), "");
}

TEST(Text, ReadsAndPrintsSizes) {
  EXPECT_EQ(parse_bytes("256MiB"), uint64_t{256} << 20);
  EXPECT_EQ(parse_bytes(" 1.5 GiB "), uint64_t{3} << 29);
  EXPECT_EQ(parse_bytes("17"), 17U);
  EXPECT_EQ(parse_bytes("17B"), 17U);
  for (const char* wrong : {"", "MiB", "-1", "1e30", "12 apples", "0x10", "nan"})
    EXPECT_THROW(parse_bytes(wrong), Error) << wrong;
  EXPECT_EQ(human_bytes(247), "247 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
}

TEST(Text, PrintsForeignBytesHarmlessly) {
  EXPECT_EQ(printable("a\nb\x1b[31m"), "a\\x0ab\\x1b[31m");
  EXPECT_EQ(printable("\xff\xfe ok é"), "\\xff\\xfe ok é");
  EXPECT_EQ(printable(std::string(300, 'x'), 10), "xxxxxxxxxx...");
  EXPECT_EQ(json_escape("a\"b\\c\n\x80"), "a\\\"b\\\\c\\u000a\\ufffd");
}

TEST(Text, KnowsUtf8FromOtherBytes) {
  EXPECT_TRUE(is_utf8("é日𝄞"));
  for (const char* wrong :
       {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\xe6\x97"})
    EXPECT_FALSE(is_utf8(wrong));
}

}  // namespace
}  // namespace tessera
