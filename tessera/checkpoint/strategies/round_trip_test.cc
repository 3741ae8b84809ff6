// Any strategy, written in each form that can hold it, reads back equal.
#include <gtest/gtest.h>

#include "tessera/base/error.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/random_strategy.h"

namespace tessera {
namespace {

using testing::RandomStrategy;

constexpr uint32_t kSeeds = 400;

Strategy through(const std::string& file, const Strategy& strategy) {
  MemoryFileSystem files;
  write_strategy(strategy, file, files);
  Strategy back = read_strategy(file, files);
  back.format = strategy.format;
  return back;
}

/// JSON and protobuf do not say everything that the strategy may.
Strategy without_shapes(Strategy strategy) {
  for (ParameterLayout& one : strategy.parameters) one.shape.reset();
  return strategy;
}

TEST(StrategyRoundTrip, ProtobufHoldsAllButShapes) {
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    const Strategy strategy = without_shapes(RandomStrategy(seed).mindspore(/*nested=*/true));
    ASSERT_EQ(through("s.ckpt", strategy), strategy) << seed << "\n" << to_string(strategy);
  }
}

TEST(StrategyRoundTrip, JsonHoldsWhatIsNotNested) {
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    const Strategy strategy = RandomStrategy(seed).mindspore(/*nested=*/false);
    ASSERT_EQ(through("s.json", strategy), strategy) << seed << "\n" << to_string(strategy);
  }
}

TEST(StrategyRoundTrip, LayoutsTxtHoldsEverything) {
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    const Strategy strategy = RandomStrategy(seed).any();
    ASSERT_EQ(through("s.txt", strategy), strategy) << seed << "\n" << to_string(strategy);
  }
}

TEST(StrategyRoundTrip, OneStageOfAPipelineStaysOne) {
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    Strategy strategy = without_shapes(RandomStrategy(seed).mindspore(/*nested=*/true));
    const int last = strategy.stage_count - 1;
    std::erase_if(strategy.parameters, [&](const auto& one) { return one.stage != last; });
    std::erase_if(strategy.operators, [&](const auto& one) { return one.stage != last; });
    if (seed % 3 == 0) strategy.operators.clear();
    ASSERT_EQ(through("s.ckpt", strategy), strategy) << seed << "\n" << to_string(strategy);
    ASSERT_EQ(through("s.txt", strategy), strategy) << seed << "\n" << to_string(strategy);
  }
}

TEST(StrategyRoundTrip, NamesThatLookStagedStayWhatTheyAre) {
  Strategy strategy;
  strategy.ranks_per_stage = 4;
  for (const std::string name : {"0-a", "1-b", "7-c-d"})
    strategy.parameters.push_back({.name = name, .layout = parse_layout("{d0=4} [d0, -]")});
  for (const std::string file : {"s.ckpt", "s.json", "s.txt"}) {
    EXPECT_EQ(through(file, strategy), strategy) << file;
    Strategy more = strategy;
    more.parameters.push_back({.name = "plain", .layout = parse_layout("{d0=4} [-]")});
    EXPECT_EQ(through(file, more), more) << file;
  }
}

TEST(StrategyRoundTrip, AMissingStepOfOptimizerShardingIsWorkedOutForMindSpore) {
  Strategy strategy;
  strategy.ranks_per_stage = 8;
  strategy.parameters.push_back(
      {.name = "w", .layout = parse_layout("{d0=4,d1=2} [d1, -]"), .optimizer_size = 2});
  EXPECT_EQ(through("s.ckpt", strategy).parameters[0].optimizer_step, 2);
  EXPECT_EQ(through("s.txt", strategy).parameters[0].optimizer_step, 0);
}

/// The message of what `write` throws.
std::string refusal(const ParameterLayout& one, const std::string& file) {
  Strategy strategy;
  strategy.ranks_per_stage = one.layout.mesh->rank_count();
  strategy.parameters.push_back(one);
  MemoryFileSystem files;
  try {
    write_strategy(strategy, file, files);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << error.what();
    EXPECT_FALSE(files.exists(file));
    return error.what();
  }
  EXPECT_TRUE(files.exists(file));
  return "";
}

TEST(StrategyRoundTrip, WhatMindSporeCannotSayIsRefusedWithTheNameAndAWayOut) {
  struct Case {
    ParameterLayout one;
    std::string says;
    bool proto_too = true;
  };
  const Layout rows = parse_layout("{d0=4} [d0, -]");
  const Case cases[] = {
      {{.name = "w*", .is_pattern = true, .layout = rows}, "is a pattern"},
      {{.name = "w", .any_ndim = true, .layout = parse_layout("{d0=4} []")}, "any number of dims"},
      {{.name = "w", .layout = parse_layout("{d0=4} [-, -] +d0")}, "partial values"},
      {{.name = "w", .layout = parse_layout("{d0=2 @ 1 0} [d0]")}, "order of its own"},
      {{.name = "w", .layout = parse_layout("{} [-, -]")}, "lies on one device"},
      {{.name = "w", .layout = parse_layout("{d0=1} [d0]")}, "lies on one device"},
      {{.name = "w", .layout = rows, .shape = Shape{6, 4}}, "6 elements of dim 0 into 4 uneven"},
      {{.name = "w",
        .layout = parse_layout("{d0=4} [-, -]"),
        .optimizer_size = -1,
        .shape = Shape{6, 4}},
       "6 elements of dim 0 into 4 uneven"},
      {{.name = "w", .layout = parse_layout("{d0=2,d1=2} [d0 d1]")}, "several device dims", false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(to_string(one.one.layout));
    const std::string json = refusal(one.one, "s.json");
    EXPECT_NE(json.find("'" + one.one.name + "'"), std::string::npos) << json;
    EXPECT_NE(json.find(one.says), std::string::npos) << json;
    EXPECT_NE(json.find("write layouts.txt instead"), std::string::npos) << json;
    EXPECT_EQ(refusal(one.one, "s.ckpt").empty(), !one.proto_too);
    EXPECT_EQ(refusal(one.one, "s.txt"), "");
  }
  // Parts whose rows are listed need not be even.
  EXPECT_EQ(refusal({.name = "w", .layout = rows, .split_rows = {1, 2, 3, 0}, .shape = Shape{6, 4}},
                    "s.ckpt"),
            "");
}

}  // namespace
}  // namespace tessera
