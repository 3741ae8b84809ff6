// The search for a placement against all placements there are, and on networks of the zoo.
#include "tessera/passes/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tessera/ops/ops.h"
#include "tessera/passes/shard.h"
#include "tests/placement/nets.h"
#include "tests/placement/run_placed.h"
#include "tests/placement/shardings.h"
#include "tests/support/difference.h"

namespace tessera::testing {
namespace {

constexpr double kTolerance = 1e-5;

struct Figures {
  int64_t bytes = 0;
  int64_t memory = 0;
  std::string text;
};

int64_t on_a_rank(const Layout& layout, const ValueInfo& value) {
  int64_t most = 0;
  for (const Rank rank : layout.mesh->all_ranks())
    most = std::max(most, element_count(local_box(layout, value.shape, rank).size));
  return most * byte_size(value.dtype);
}

/// What search() says of a placement, counted in the placed graph.
Figures figures_of(const Placed& placed) {
  Figures figures;
  const Graph& graph = placed.graph;
  const size_t end = graph.nodes.size();
  for (const Movement& movement : movements(placed))
    if (movement.running && movement.before < end) figures.bytes += movement.bytes;
  std::vector<bool> fixed(graph.values.size(), false);
  for (const ValueId id : graph.parameters) fixed[static_cast<size_t>(id)] = true;
  std::vector<size_t> made(graph.values.size(), 0);
  std::vector<size_t> last(graph.values.size(), 0);
  for (size_t n = 0; n < end; ++n) {
    for (const ValueId id : graph.nodes[n].operands) last[static_cast<size_t>(id)] = n;
    for (const ValueId id : graph.nodes[n].results) made[static_cast<size_t>(id)] = n;
  }
  for (const ValueId id : graph.outputs) last[static_cast<size_t>(id)] = end;
  std::vector<int64_t> together(end, 0);
  for (size_t id = 0; id < graph.values.size(); ++id) {
    for (const Form& form : placed.forms[id]) {
      const int64_t bytes = on_a_rank(form.layout, graph.values[id]);
      if (fixed[id] && (form.from < 0 || form.before < end)) figures.memory += bytes;
      if (fixed[id] || graph.constants.count(static_cast<ValueId>(id)) != 0) continue;
      const size_t from = std::max(made[id], form.from < 0 ? 0 : form.before);
      for (size_t n = from; n < end && n <= std::max(last[id], made[id]); ++n) together[n] += bytes;
    }
  }
  figures.memory += *std::max_element(together.begin(), together.end());
  return figures;
}

/// Calls visit for every combination of shardings of the nodes from n on.
template <typename Visit>
void each_placement(Graph& graph, const PlaceOptions& options, size_t n, const Visit& visit) {
  if (n == graph.nodes.size()) return visit(place(graph, options));
  for (const RuleLayouts& one : every_sharding(rule_of_node(graph, n), options.mesh)) {
    graph.nodes[n].sharding = sharding_text(one.operands, false);
    each_placement(graph, options, n + 1, visit);
  }
  graph.nodes[n].sharding.clear();
}

/// relu(x·a)·b + x, where a and b cannot both be whole in little memory.
Graph two_products(int64_t rows) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {rows, 6})};
  const Value a{&graph, graph.add_parameter("a", DType::kF32, {6, 8})};
  const Value b{&graph, graph.add_parameter("b", DType::kF32, {8, 6})};
  graph.outputs = {add(matmul(relu(matmul(x, a)), b), x).id};
  return graph;
}

/// Whatever memory there is, no placement that fits moves less than the one that is found.
void expect_the_best(Graph graph, const PlaceOptions& options) {
  const std::vector<Found> found = search(graph, options);
  std::vector<Figures> all;
  each_placement(graph, options, 0, [&](const Placed& placed) {
    all.push_back(figures_of(placed));
    all.back().text = to_string(placed);
  });
  for (const Found& one : found) {
    Graph sharded = graph;
    apply(sharded, one, options.mesh);
    const Figures figures = figures_of(place(sharded, options));
    EXPECT_EQ(figures.bytes, one.bytes) << to_string(sharded);
    EXPECT_EQ(figures.memory, one.memory) << to_string(sharded);
  }
  for (const Figures& other : all) {
    const auto best = std::find_if(found.begin(), found.end(),
                                   [&](const Found& one) { return one.memory <= other.memory; });
    ASSERT_NE(best, found.end()) << "one of " << other.memory << " bytes was not found";
    EXPECT_LE(best->bytes, other.bytes) << "in " << other.memory << " bytes:\n" << other.text;
  }
}

TEST(Search, NoPlacementThatFitsMovesLess) {
  for (const std::string_view mesh : {"{d0=2}", "{d0=3}", "{d0=2,d1=2}"}) {
    SCOPED_TRACE(mesh);
    expect_the_best(make_net("tutorial", 4), {.mesh = parse_mesh(mesh)});
    expect_the_best(make_net("product_product", 4), {.mesh = parse_mesh(mesh)});
  }
  for (const int64_t rows : {1, 4, 16}) {
    expect_the_best(two_products(rows), {.mesh = parse_mesh("{d0=2}")});
    expect_the_best(two_products(rows), {.mesh = parse_mesh("{dp=2}")});
    expect_the_best(two_products(rows), {.mesh = parse_mesh("{d0=3}"), .input_pieces = {{3}}});
  }
}

TEST(Search, WhatItFindsComputesWhatOneDeviceComputes) {
  for (const std::string& net : net_names()) {
    const Graph graph = make_net(net, 4);
    const Values values = random_values(graph);
    const std::vector<Tensor> wanted = run_alone(graph, values);
    for (const int ranks : {2, 3, 4, 6}) {
      const PlaceOptions options{.mesh = search_mesh(ranks)};
      for (const Found& found : search(graph, options)) {
        Graph sharded = graph;
        apply(sharded, found, options.mesh);
        const Placed placed = place(sharded, options);
        EXPECT_EQ(figures_of(placed).bytes, found.bytes) << net << " on " << ranks;
        const std::vector<Tensor> outputs = run_placed(placed, values);
        for (size_t i = 0; i < wanted.size(); ++i)
          EXPECT_EQ(difference(wanted[i], outputs[i], kTolerance), "") << to_string(placed);
      }
    }
  }
}

TEST(Search, LessMemoryIsBoughtWithBytes) {
  const std::vector<Found> found =
      search(make_net("transformer(layers=2)", 4), {.mesh = search_mesh(4)});
  ASSERT_GT(found.size(), 2U);
  EXPECT_EQ(found.front().bytes, 0);
  for (size_t i = 1; i < found.size(); ++i) {
    EXPECT_LT(found[i].memory, found[i - 1].memory);
    EXPECT_GE(found[i].bytes, found[i - 1].bytes);
  }
  EXPECT_LT(found.back().memory * 2, found.front().memory);
}

TEST(Search, NodesThatAreShardedKeepWhatTheySay) {
  Graph graph = two_products(4);
  graph.nodes[0].sharding = "[-, d0], [d0, -]";
  for (const Found& found : search(graph, {.mesh = parse_mesh("{d0=2}")})) {
    EXPECT_EQ(found.shardings[0], "[-, d0], [d0, -]");
    EXPECT_GT(found.bytes, 0);
  }
}

TEST(Search, DeterministicPlacementsCutNoSum) {
  const PlaceOptions options{.mesh = search_mesh(4), .deterministic = true};
  const Graph graph = make_net("mlp", 4);
  for (const Found& found : search(graph, options)) {
    Graph sharded = graph;
    apply(sharded, found, options.mesh);
    for (const PlacedNode& node : place(sharded, options).nodes)
      for (const Layout& layout : node.results) EXPECT_TRUE(layout.partial.empty());
  }
}

TEST(Search, TheMeshHasTwoAxesAtMost) {
  const std::vector<std::pair<int, std::string>> wanted = {
      {1, "{d0=1}"},       {2, "{d0=2}"},      {6, "{d0=3,d1=2}"},
      {7, "{d0=7}"},       {8, "{d0=4,d1=2}"}, {30, "{d0=6,d1=5}"},
      {64, "{d0=8,d1=8}"}, {97, "{d0=97}"},    {1024, "{d0=32,d1=32}"}};
  for (const auto& [ranks, mesh] : wanted) {
    EXPECT_EQ(search_mesh(ranks)->rank_count(), ranks);
    EXPECT_EQ(to_string(*search_mesh(ranks)), mesh);
  }
}

}  // namespace
}  // namespace tessera::testing
