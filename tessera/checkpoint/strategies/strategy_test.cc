// Finding parameters, merging stages, filling in shapes.
#include "tessera/checkpoint/strategy.h"

#include <gtest/gtest.h>

#include "tessera/base/error.h"
#include "tests/support/random_strategy.h"

namespace tessera {
namespace {

Strategy one_stage(int stage, const std::string& name, const std::string& layout) {
  Strategy strategy;
  strategy.format = "test";
  strategy.stage_count = stage + 1;
  strategy.parameters.push_back({.name = name, .stage = stage, .layout = parse_layout(layout)});
  strategy.ranks_per_stage = strategy.parameters[0].layout.mesh->rank_count();
  return strategy;
}

template <typename Do>
std::string error_of(Do action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Strategy, TheIndexFindsWhatALinearSearchFinds) {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    Strategy plain = testing::RandomStrategy(seed).any();
    plain.index = {};
    Strategy indexed = plain;
    index_parameters(indexed);
    std::vector<std::string> names{"", "p0.a", "p1.a.b.x", "none"};
    for (const ParameterLayout& one : plain.parameters) names.push_back(one.name);
    for (const std::string& name : names) {
      for (int stage = 0; stage < plain.stage_count; ++stage) {
        const ParameterLayout* a = plain.find(name, stage);
        const ParameterLayout* b = indexed.find(name, stage);
        ASSERT_EQ(a == nullptr, b == nullptr) << seed << " " << name;
        if (a == nullptr) continue;
        ASSERT_EQ(a - plain.parameters.data(), b - indexed.parameters.data());
      }
    }
  }
}

TEST(Strategy, StagesThatContradictEachOtherDoNotMerge) {
  const Strategy a = one_stage(0, "w", "{t=2} [t]");
  const Strategy b = one_stage(0, "w", "{t=2} [-]");
  const Strategy c = one_stage(0, "v", "{t=2} [t]");
  const Strategy wide = one_stage(1, "v", "{t=4} [t]");
  const auto merge = [](std::vector<Strategy> all) { return error_of([&] { merge_stages(all); }); };
  EXPECT_NE(merge({a, b}).find("'w' is {t=2} [t] in one and {t=2} [-] in the other"),
            std::string::npos);
  EXPECT_NE(merge({a, c}).find("only one of them has 'w'"), std::string::npos);
  EXPECT_NE(merge({a, wide}).find("for 4 ranks per stage, those before it for 2"),
            std::string::npos);
  EXPECT_NE(merge({}).find("no strategy"), std::string::npos);
  EXPECT_EQ(merge({a, a, one_stage(1, "w", "{t=2} [-]")}), "no error");
}

TEST(Strategy, RanksOfAStageMaySaveTheirParametersInDifferentOrders) {
  Strategy a = one_stage(0, "w", "{t=2} [t]");
  a.parameters.push_back({.name = "v", .layout = parse_layout("{t=2} [-]")});
  Strategy b = a;
  std::swap(b.parameters[0], b.parameters[1]);
  b.current_stage = 7;
  const std::vector<Strategy> both{a, b};
  EXPECT_EQ(merge_stages(both).parameters, a.parameters);
}

TEST(Strategy, ShapesReplacePatterns) {
  Strategy strategy = one_stage(0, "*.w", "{t=2} [t, -]");
  strategy.parameters[0].is_pattern = true;
  strategy.parameters.push_back(
      {.name = "*", .is_pattern = true, .any_ndim = true, .layout = parse_layout("{t=2} []")});
  const std::vector<NamedShape> tensors{{"a.w", {4, 2}}, {"b.w", {3, 1}}, {"bias", {5}}};
  const Strategy filled = with_shapes(strategy, tensors);
  ASSERT_EQ(filled.parameters.size(), 3);
  EXPECT_EQ(to_string(filled),
            "mesh {t=2}\n\na.w   [t, -]  shape=4,2\nb.w   [t, -]  shape=3,1\nbias  [-]  shape=5\n");
  const std::vector<NamedShape> few{{"bias", {5}}};
  EXPECT_NE(error_of([&] { with_shapes(strategy, few); }).find("'*.w' in pipeline stage 0 matches"),
            std::string::npos);
  const std::vector<NamedShape> flat{{"a.w", {4}}};
  EXPECT_NE(error_of([&] { with_shapes(strategy, flat); }).find("cuts 2 dims of it"),
            std::string::npos);
}

TEST(Strategy, ValidateNamesTheStageThatNobodyIsIn) {
  EXPECT_NE(error_of([] {
              validate(one_stage(2, "w", "{t=2} [t]"));
            }).find("no parameter is in pipeline stage 0 of 3"),
            std::string::npos);
  Strategy wrong = one_stage(0, "w", "{t=2} [t]");
  wrong.ranks_per_stage = 4;
  EXPECT_NE(error_of([&] { validate(wrong); }).find("says 4 ranks per stage but 'w' lies on 2"),
            std::string::npos);
}

}  // namespace
}  // namespace tessera
