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
  options.follow_from = step.made.network_nodes;
  return place(graph, options);
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

TEST(SearchForTraining, NoPlacementOfTheForwardPassCostsLess) {
  for (const std::string_view mesh : {"{d0=2}", "{d0=3}"}) {
    for (const int64_t rows : {4, 12, 36}) {
      for (const bool by_rows : {false, true}) {
        SCOPED_TRACE(fmt::format("{} rows on {} {}", rows, mesh, by_rows));
        Step step = step_of(two_products(rows, 6, 12, 6));
        PlaceOptions options{.mesh = parse_mesh(mesh)};
        options.costs.latency_bytes = 0;
        if (by_rows) options.input_pieces = {{options.mesh->rank_count()}};
        const std::vector<Found> found = search(step, options);
        const Placed placed = placed_as(step, found.front(), options);
        const double ours = cost_of(step, placed, found.front().work);
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
        printf("rows %ld %s: ours %g best %g\n", rows, std::string(mesh).c_str(), ours, best);
        EXPECT_LE(ours, best) << to_string(placed) << "\n" << text;
      }
    }
  }
}

}  // namespace
}  // namespace tessera::testing
