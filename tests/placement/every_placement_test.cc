// Samples of the lists of placements, and of random ones; ./dev campaign placement runs all.
#include <gtest/gtest.h>

#include "tessera/passes/shard.h"
#include "tests/placement/case_lists.h"
#include "tests/placement/nets.h"

namespace tessera::testing {
namespace {

/// Every n-th case of a list, about `count` in all; steps that share no factor with the lists' own.
void expect_sample(const std::vector<PlacementCase>& cases, size_t count) {
  PlacementCheck check;
  const size_t step = cases.size() <= count ? 1 : (cases.size() / count) | 1;
  for (size_t i = 0; i < cases.size(); i += step) {
    const std::string wrong = check(cases[i]);
    ASSERT_TRUE(wrong.empty()) << "case " << i << " of " << cases.size() << ": " << wrong;
  }
}

TEST(EveryPlacement, EveryShardingOfEveryOperatorEqualsOneDevice) {
  expect_sample(sharding_cases(), 350);
}

TEST(EveryPlacement, EveryPairOfLayoutsOnAnEdgeEqualsOneDevice) {
  expect_sample(edge_cases(), 600);
}

TEST(EveryPlacement, EveryUniformPlacementEqualsOneDevice) {
  expect_sample(uniform_cases(), 200);
}

TEST(EveryPlacement, EveryLegalShardingCanBeSaidAsLayouts) {
  for (const std::string& net : net_names()) {
    const Graph graph = make_net(net, 4);
    for (const std::string& text : meshes()) {
      const MeshPtr mesh = parse_mesh(text);
      for (size_t n = 0; n < graph.nodes.size(); ++n) {
        const ShardingRule rule = rule_of_node(graph, n);
        for (const RuleLayouts& layouts : every_sharding(rule, mesh)) {
          const std::string said = sharding_text(layouts.operands, false);
          const RuleLayouts read = read_sharding(said, graph.nodes[n].op->name, rule, mesh);
          ASSERT_EQ(read, layouts) << to_string(rule) << " by " << text << " " << said;
        }
      }
    }
  }
}

TEST(EveryPlacement, RandomPlacementsEqualOneDevice) {
  PlacementCheck check;
  for (uint64_t number = 0; number < 300; ++number) {
    Random random(number);
    const PlacementCase made = random_case(random);
    if (!check(made).empty()) {
      FAIL() << "case " << number << ", shrunk:\n" << check.shrunk(made);
    }
  }
}

TEST(EveryPlacement, PipelineStagesEqualOneDevice) {
  PlacementCheck check;
  for (const std::string mesh : {"{dp=1}", "{dp=2}", "{tp=2}", "{dp=2,tp=2}", "{tp=3}"}) {
    for (const bool deterministic : {false, true}) {
      PlacementCase made{.net = "mlp", .rows = 5, .mesh = mesh};
      made.deterministic = deterministic;
      made.stages = {{"dense_relu_sequential.0"},
                     {"dense_relu_sequential.2", "dense_relu_sequential.4"}};
      EXPECT_EQ(check(made), "");
      if (parse_mesh(mesh)->find("tp")) {
        const std::string cut = mesh + " [tp, -]";
        made.layouts = {{"dense_relu_sequential.0.weight", cut},
                        {"dense_relu_sequential.4.weight", cut}};
        EXPECT_EQ(check(made), "");
      }
      if (parse_mesh(mesh)->rank_count() > 2) continue;
      made.stages = {
          {"dense_relu_sequential.0"}, {"dense_relu_sequential.2"}, {"dense_relu_sequential.4"}};
      EXPECT_EQ(check(made), "");
    }
  }
}

}  // namespace
}  // namespace tessera::testing
