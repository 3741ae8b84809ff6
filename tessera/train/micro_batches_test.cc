#include "tessera/train/micro_batches.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tessera/ops/ops.h"
#include "tessera/passes/lower.h"
#include "tessera/train/train_graph.h"

namespace tessera {
namespace {

TEST(OneForwardOneBackward, ReadsOnlyWhatEarlierTicksHaveMade) {
  for (int stages = 1; stages <= 5; ++stages) {
    for (int count = 1; count <= 8; ++count) {
      SCOPED_TRACE(fmt::format("{} stages, {} micro-batches", stages, count));
      std::map<std::tuple<bool, int, int>, int> ticks;  // backward, stage, micro-batch
      std::set<std::pair<int, int>> busy;
      const std::vector<PipelineUnit> units = one_forward_one_backward(stages, count);
      for (const PipelineUnit& unit : units) {
        ticks[{unit.is_backward, unit.stage, unit.micro_batch}] = unit.tick;
        EXPECT_TRUE(busy.insert({unit.tick, unit.stage}).second) << "two units at a time";
      }
      ASSERT_EQ(ticks.size(), static_cast<size_t>(2 * stages * count));
      for (const PipelineUnit& unit : units) {
        const int m = unit.micro_batch;
        if (unit.is_backward) {
          EXPECT_LT((ticks[{false, unit.stage, m}]), unit.tick);
        }
        if (unit.is_backward && unit.stage + 1 < stages) {
          EXPECT_LT((ticks[{true, unit.stage + 1, m}]), unit.tick);
        }
        if (!unit.is_backward && unit.stage > 0) {
          EXPECT_LT((ticks[{false, unit.stage - 1, m}]), unit.tick);
        }
      }
      EXPECT_EQ(units.back().tick + 1, 2 * (count + stages - 1)) << "of units of equal length";
    }
  }
}

/// A network of one dense layer per stage; stages are called s0, s1, …
Graph tower(int stages) {
  Graph graph;
  Value x{&graph, graph.add_input("x", DType::kF32, {4, 6})};
  for (int s = 0; s < stages; ++s) {
    const InScope scope(graph, fmt::format("s{}", s));
    const Value weight{&graph, graph.add_parameter(fmt::format("w{}", s), DType::kF32, {6, 6})};
    x = relu(dense(x, weight));
  }
  graph.outputs = {x.id};
  return graph;
}

TrainRecipe recipe_of(int stages, int micro_batches) {
  TrainRecipe recipe{.optimizer = parse_optimizer("momentum"), .micro_batches = micro_batches};
  for (int s = 0; s < stages; ++s) recipe.stages.push_back({fmt::format("s{}", s)});
  return recipe;
}

/// What each rank runs, each stage being one rank.
std::vector<Graph> local_graphs(int stages, int micro_batches, bool by_ticks = true) {
  const TrainRecipe recipe = recipe_of(stages, micro_batches);
  const TrainGraph step = make_train_graph(tower(stages), recipe);
  const Placed placed = place(step.graph, {.mesh = make_mesh({{"dp", 1}}),
                                           .network = step.network,
                                           .stages = recipe.stages,
                                           .node_stages = step.stages,
                                           .ticks = by_ticks ? step.ticks : std::vector<size_t>()});
  std::vector<Graph> graphs;
  for (Rank rank = 0; rank < stages; ++rank) graphs.push_back(lower(placed, rank));
  return graphs;
}

/// The micro-batch of "v3@2" or of its form "v3@2.1"; -1: none.
int micro_batch_of(const std::string& name, int micro_batches) {
  const size_t at = name.find('@');
  if (at == std::string::npos) return micro_batches == 1 ? 0 : -1;
  return std::stoi(name.substr(at + 1));
}

/// The most micro-batches of which a rank keeps what the network has computed, at any node. Which
/// values are the network's says the network, when they live the rank's graph.
size_t most_alive(const Graph& network, const Graph& local, int micro_batches) {
  std::set<std::string> computed;
  for (const Node& node : network.nodes)
    for (const ValueId id : node.results)
      computed.insert(network.values[static_cast<size_t>(id)].name);
  std::map<ValueId, std::pair<size_t, size_t>> lives;
  for (size_t n = 0; n < local.nodes.size(); ++n) {
    for (const ValueId id : local.nodes[n].results) lives[id] = {n, n};
    for (const ValueId id : local.nodes[n].operands)
      if (lives.contains(id)) lives[id].second = n;
  }
  size_t most = 0;
  for (size_t n = 0; n < local.nodes.size(); ++n) {
    std::set<int> alive;
    for (const auto& [id, life] : lives) {
      const std::string& name = local.values[static_cast<size_t>(id)].name;
      const std::string stem = name.substr(0, name.find_first_of("@."));
      if (computed.contains(stem) && life.first <= n && n <= life.second)
        alive.insert(micro_batch_of(name, micro_batches));
    }
    most = std::max(most, alive.size());
  }
  return most;
}

TEST(Pipeline, KeepsAtMostAsManyMicroBatchesAsThereAreStagesFromHereOn) {
  for (int stages = 2; stages <= 4; ++stages) {
    for (int count = 1; count <= 8; ++count) {
      const std::vector<Graph> graphs = local_graphs(stages, count);
      for (int s = 0; s < stages; ++s)
        EXPECT_EQ(most_alive(tower(stages), graphs[static_cast<size_t>(s)], count),
                  static_cast<size_t>(std::min(count, stages - s)))
            << "stage " << s << " of " << stages << ", " << count << " micro-batches";
    }
  }
}

/// How long the ranks take when a product of the network and one for a weight's gradient take 1
/// each, all else nothing, and an exchange begins when all ranks that have it have come to it.
int time_of(const std::vector<Graph>& graphs, int micro_batches) {
  const auto key_of = [](const Graph& graph, const Node& node) {
    const std::string& name = graph.values[static_cast<size_t>(node.results[0])].name;
    return name.substr(0, name.rfind('.')) + std::get<std::string>(node.attrs.at("before")) +
           std::get<std::string>(node.attrs.at("after"));
  };
  std::map<std::string, std::set<size_t>> waiting;  // per exchange who has it and is not there yet
  for (size_t r = 0; r < graphs.size(); ++r)
    for (const Node& node : graphs[r].nodes)
      if (node.op->is_collective) waiting[key_of(graphs[r], node)].insert(r);
  std::map<std::string, int> begins;
  std::vector<int> now(graphs.size(), 0);
  std::vector<size_t> next(graphs.size(), 0);
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t r = 0; r < graphs.size(); ++r) {
      for (; next[r] < graphs[r].nodes.size(); ++next[r], moved = true) {
        const Node& node = graphs[r].nodes[next[r]];
        if (node.op->is_collective) {
          const std::string key = key_of(graphs[r], node);
          begins[key] = std::max(begins[key], now[r]);
          moved |= waiting[key].erase(r) > 0;
          if (!waiting[key].empty()) break;
          now[r] = std::max(now[r], begins[key]);
        }
        const std::string& name = graphs[r].values[static_cast<size_t>(node.results[0])].name;
        const bool is_weight = graphs[r].type(node.results[0]).global == Shape{6, 6};
        const bool is_product =
            node.op->name == "dense" || (node.op->name == "matmul" && is_weight);
        if (is_product && micro_batch_of(name, micro_batches) >= 0) ++now[r];
      }
    }
  }
  for (size_t r = 0; r < graphs.size(); ++r) EXPECT_EQ(next[r], graphs[r].nodes.size()) << "stuck";
  return *std::max_element(now.begin(), now.end());
}

TEST(Pipeline, NoStageWaitsForWhatAnotherComputesMeanwhile) {
  for (int stages = 2; stages <= 4; ++stages) {
    for (const int count : {1, 2, 4, 8}) {
      SCOPED_TRACE(fmt::format("{} stages, {} micro-batches", stages, count));
      const int least = 2 * (count + stages - 1);
      EXPECT_EQ(time_of(local_graphs(stages, count), count), least);
      if (count >= stages) {
        EXPECT_GT(time_of(local_graphs(stages, count, false), count), least)
            << "moved by who reads it, not by ticks";
      }
    }
  }
}

TEST(Pipeline, AParameterAndWhatIsKeptBesideItAreOfTheStageThatReadsIt) {
  const TrainRecipe recipe = recipe_of(3, 4);
  const TrainGraph step = make_train_graph(tower(3), recipe);
  ASSERT_EQ(step.stages.size(), step.graph.nodes.size());
  size_t found = 0;
  for (size_t n = 0; n < step.graph.nodes.size(); ++n) {
    const Node& node = step.graph.nodes[n];
    if (node.op->name != "momentum_update") continue;
    const std::string& name = step.graph.values[static_cast<size_t>(node.operands[0])].name;
    EXPECT_EQ(name, fmt::format("w{}", step.stages[n]));
    ++found;
  }
  EXPECT_EQ(found, 3U);
}

TEST(MicroBatches, OfRanksThatShareRowsAddUpTheirGradientsOnce) {
  for (const int count : {1, 4}) {
    const TrainRecipe recipe = recipe_of(1, count);
    TrainGraph step =
        make_train_graph(tower(2), {.optimizer = recipe.optimizer, .micro_batches = count});
    const Placed placed =
        place(step.graph, {.mesh = make_mesh({{"dp", 2}}), .network = step.network});
    int sums = 0;
    for (const Movement& movement : movements(placed))
      if (step.graph.values[static_cast<size_t>(movement.value)].shape == Shape{6, 6}) ++sums;
    EXPECT_EQ(sums, 2) << count << " micro-batches: one per weight";
  }
}

TEST(MicroBatches, OneOfOneStageChangesNothing) {
  const TrainRecipe recipe{.optimizer = parse_optimizer("momentum")};
  EXPECT_TRUE(make_train_graph(tower(2), recipe).inputs.empty());
  const TrainGraph one = make_train_graph(tower(2), recipe_of(2, 1));
  for (const char* name : {"x", "labels"}) EXPECT_TRUE(one.graph.find(name)) << name;
}

}  // namespace
}  // namespace tessera
