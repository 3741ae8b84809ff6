// The search for a training step: what it counts is what the placed step moves, and no other
// placement of the forward pass moves less.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tessera/ops/ops.h"
#include "tessera/passes/search.h"
#include "tessera/passes/split_ends.h"
#include "tessera/passes/training.h"
#include "tessera/train/train_graph.h"
#include "tests/placement/nets.h"
#include "tests/placement/shardings.h"

namespace tessera::testing {
namespace {

struct Step {
  TrainGraph made;
  StepToSearch wanted;
};

/// A step of Momentum or Adam; of nets without classes their outputs are flattened to some.
Step step_of(Graph network, const std::string& optimizer = "momentum") {
  Value out{&network, network.outputs[0]};
  if (out.shape().size() > 2) out = flatten(out);
  network.outputs = {out.id};
  const TrainRecipe recipe{.optimizer = parse_optimizer(optimizer)};
  Step step{make_train_graph(to_training(network), recipe), {}};
  const Graph& graph = step.made.graph;
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (graph.nodes[n].results[0] == graph.outputs[0]) step.wanted.forward_nodes = n + 1;
  for (const std::string& name : step.made.trained)
    step.wanted.trained.push_back(*graph.find(name));
  step.wanted.states = optimizer == "adam" ? 2 : 1;
  return step;
}

std::vector<Found> search(Step& step, const PlaceOptions& options) {
  step.wanted.graph = &step.made.graph;
  return tessera::search(step.wanted, options);
}

Placed placed_as(const Step& step, const Found& found, PlaceOptions options) {
  Graph graph = step.made.graph;
  apply(graph, found, options.mesh);
  options.network = step.made.network;
  return place(graph, options);
}

struct Cheapest {
  Found found;
  Placed placed;
};

Cheapest cheapest(Step step, const PlaceOptions& options) {
  const Found found = search(step, options).front();
  return {found, placed_as(step, found, options)};
}

int64_t moved(const Placed& placed) {
  int64_t bytes = 0;
  for (const Movement& movement : movements(placed))
    if (movement.running) bytes += movement.bytes;
  return bytes;
}

/// Bytes, and what the work is worth.
double cost_of(const Step& step, const Placed& placed, double work) {
  return static_cast<double>(moved(placed)) +
         step.wanted.bytes_per_loop * placed.mesh->rank_count() * work;
}

/// Loops of the rank that has most, where every dim has one factor.
double work_of(const ShardingRule& rule, const RuleLayouts& layouts) {
  double work = 1;
  for (size_t f = 0; f < rule.factors.size(); ++f) {
    int parts = 1;
    for (size_t i = 0; i < rule.operands.size(); ++i)
      for (size_t d = 0; d < rule.operands[i].size(); ++d)
        for (const FactorId of : rule.operands[i][d])
          if (of == static_cast<FactorId>(f)) parts = part_count(layouts.operands[i], d);
    work *= static_cast<double>((rule.factors[f].extent + parts - 1) / parts);
  }
  return work;
}

/// Calls visit(shardings, work) for every combination of shardings of the forward nodes from n on.
template <typename Visit>
void each_sharding(const Step& step, const MeshPtr& mesh, std::vector<std::string>& chosen,
                   double work, const Visit& visit) {
  const size_t n = chosen.size();
  if (n == step.wanted.forward_nodes) return visit(chosen, work);
  const ShardingRule rule = rule_of_node(step.made.graph, n);
  for (const RuleLayouts& one : every_sharding(rule, mesh)) {
    chosen.push_back(sharding_text(one.operands, false));
    each_sharding(step, mesh, chosen, work + work_of(rule, one), visit);
    chosen.pop_back();
  }
}

/// relu(x·a)·b.
Graph two_products(int64_t rows, int64_t in, int64_t wide, int64_t classes) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {rows, in})};
  const Value a{&graph, graph.add_parameter("a", DType::kF32, {in, wide})};
  const Value b{&graph, graph.add_parameter("b", DType::kF32, {wide, classes})};
  graph.outputs = {matmul(relu(matmul(x, a)), b).id};
  return graph;
}

// But for the loss, whose sum over the ranks waits where its factor is a number.
TEST(SearchForTraining, NoPlacementOfTheForwardPassCostsLess) {
  for (const std::string_view mesh : {"{d0=2}", "{d0=3}"}) {
    for (const int64_t rows : {4, 12, 36}) {
      for (const bool by_rows : {false, true}) {
        SCOPED_TRACE(fmt::format("{} rows on {} {}", rows, mesh, by_rows));
        const Step step = step_of(two_products(rows, 6, 12, 6));
        PlaceOptions options{.mesh = parse_mesh(mesh)};
        options.costs.latency_bytes = 0;
        if (by_rows) options.input_pieces = {{options.mesh->rank_count()}};
        const auto [found, placed] = cheapest(step, options);
        const double ours = cost_of(step, placed, found.work);
        double best = std::numeric_limits<double>::infinity();
        std::string text;
        std::vector<std::string> chosen;
        each_sharding(step, options.mesh, chosen, 0,
                      [&](const std::vector<std::string>& shardings, double work) {
                        const Placed other = placed_as(step, {.shardings = shardings}, options);
                        const double cost = cost_of(step, other, work);
                        if (cost >= best) return;
                        best = cost;
                        text = to_string(other);
                      });
        EXPECT_LE(ours, best * 1.02) << to_string(placed) << "\n" << text;
      }
    }
  }
}

/// Bytes that the search says and that the placed step moves.
double ratio(const std::string& net, int64_t rows, int ranks, double latency_bytes) {
  PlaceOptions options{.mesh = search_mesh(ranks)};
  options.costs.latency_bytes = latency_bytes;
  const auto [found, placed] = cheapest(step_of(make_net(net, rows)), options);
  return static_cast<double>(moved(placed)) / static_cast<double>(found.bytes);
}

// Where rows alone are cut, all that moves are gradients and the loss. Else the backward pass takes
// what is cheapest node by node, which may be less than what was counted, or more.
TEST(SearchForTraining, WhatItCountsIsWhatTheStepMoves) {
  for (const auto& [net, ranks] :
       std::vector<std::pair<std::string, int>>{{"lenet5", 2},
                                                {"transformer(layers=1)", 2},
                                                {"transformer(layers=1)", 4},
                                                {"block", 4},
                                                {"resnet20", 2}})
    EXPECT_NEAR(ratio(net, 64, ranks, 64 * 1024), 1, 0.01) << net << " on " << ranks;
  for (const std::string net : {"mlp", "lenet5", "block"})
    for (const int64_t rows : {8, 64})
      for (const int ranks : {2, 4, 8}) {
        const double found = ratio(net, rows, ranks, 0);
        EXPECT_GT(found, 0.7) << net << ", " << rows << " rows on " << ranks;
        EXPECT_LT(found, 1.8) << net << ", " << rows << " rows on " << ranks;
      }
}

std::string cut_of(const Placed& placed, std::string_view name) {
  return dims_to_string(placed.layout(*placed.graph.find(name)));
}

PlaceOptions by_bytes(int ranks) {
  PlaceOptions options{.mesh = make_mesh({{"d0", ranks}})};
  options.costs.latency_bytes = 0;
  return options;
}

TEST(SearchForTraining, LargeBatchesOfSmallWeightsAreCutByRows) {
  for (const int ranks : {2, 4, 8}) {
    const auto [found, placed] = cheapest(step_of(two_products(512, 16, 16, 8)), by_bytes(ranks));
    EXPECT_EQ(cut_of(placed, "a"), "[-, -]");
    EXPECT_EQ(cut_of(placed, "b"), "[-, -]");
    // Each rank receives the gradients twice but for its part: reduced, and gathered.
    EXPECT_NEAR(static_cast<double>(found.bytes), 2 * (ranks - 1) * 4 * (16 * 16 + 16 * 8), 100);
  }
}

TEST(SearchForTraining, LargeWeightsOfSmallBatchesAreCutByColumnsThenRows) {
  for (const int ranks : {2, 4, 8}) {
    const auto [found, placed] = cheapest(step_of(two_products(8, 256, 1024, 64)), by_bytes(ranks));
    EXPECT_EQ(cut_of(placed, "a"), "[-, d0]");
    EXPECT_EQ(cut_of(placed, "b"), "[d0, -]");
    // What is summed over the ranks is the output alone.
    EXPECT_LE(found.bytes, 2 * (ranks - 1) * 4 * 8 * 64 + 100);
  }
}

TEST(SearchForTraining, MemoryIsOfParametersGradientsStatesAndWhatIsKept) {
  constexpr int64_t kParameters = 4 * 2 * 512 * 512;
  constexpr int64_t kRows = 4 * 300 * 512;  // of one of four ranks
  std::vector<int64_t> needed;
  for (const std::string optimizer : {"momentum", "adam"}) {
    Step step = step_of(two_products(1200, 512, 512, 512), optimizer);
    for (const size_t product : {0, 2}) step.made.graph.nodes[product].sharding = "[d0, -], [-, -]";
    const std::vector<Found> found = search(step, by_bytes(4));
    needed.push_back(found.back().memory);
  }
  EXPECT_GT(needed[0], 3 * kParameters + 3 * kRows) << "gradients, moments; both inputs, output";
  EXPECT_LT(needed[0], 3 * kParameters + 9 * kRows);
  EXPECT_EQ(needed[1] - needed[0], kParameters) << "Adam keeps two of each";
}

}  // namespace
}  // namespace tessera::testing
