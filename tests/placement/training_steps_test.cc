// Training steps of random networks under random strategies: on ranks as on one device, to the last
// updated element.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tessera/ops/ops.h"
#include "tessera/passes/split_ends.h"
#include "tessera/passes/training.h"
#include "tessera/train/train_graph.h"
#include "tests/placement/run_placed.h"
#include "tests/placement/shardings.h"
#include "tests/support/difference.h"
#include "tests/support/random_cnn.h"

namespace tessera::testing {
namespace {

constexpr double kTolerance = 2e-5;

/// A step of a random network with five classes; what it updates is an output, not an update, so
/// that it can be compared.
TrainGraph random_step(uint32_t seed, const std::string& optimizer) {
  Graph network = RandomCnn(seed).graph();
  Value out{&network, network.outputs[0]};
  if (out.shape().size() > 2) out = flatten(out);
  const Value head{&network,
                   network.add_parameter("head.weight", DType::kF32, {5, out.shape()[1]})};
  network.outputs = {dense(out, head).id};
  const TrainRecipe recipe{.optimizer = parse_optimizer(optimizer)};
  TrainGraph step = make_train_graph(split_ends(to_training(network)), recipe);
  for (const Update& update : step.graph.updates) step.graph.outputs.push_back(update.value);
  step.graph.updates.clear();
  return step;
}

/// A strategy for some of the forward nodes.
void shard_at_random(TrainGraph& step, const MeshPtr& mesh, Random& random) {
  for (size_t n = 0; n < step.graph.nodes.size(); ++n)
    if (step.network[n] && chance(random, 60))
      step.graph.nodes[n].sharding =
          sharding_text(random_sharding(rule_of_node(step.graph, n), mesh, random).operands, false);
}

std::optional<FurtherCut> cut_by_all(const ValueInfo& value, const Layout& layout) {
  const auto ranks = static_cast<int64_t>(replica_group(layout, layout.mesh->rank_at(0)).size());
  if (value.shape.empty() || ranks == 1) return std::nullopt;
  if (value.shape[0] % (ranks * part_count(layout, 0)) != 0) return std::nullopt;
  return FurtherCut{shard_optimizer(layout, 0, -1), 0, -1};
}

TEST(TrainingSteps, OfRandomNetworksUnderRandomStrategiesAreThoseOfOneRank) {
  const std::vector<std::string> meshes = {"{a=2}",     "{dp=2}",      "{a=4}",
                                           "{a=2,b=2}", "{dp=2,tp=2}", "{a=3}"};
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    const MeshPtr mesh = parse_mesh(meshes[below(random, meshes.size())]);
    TrainGraph step =
        random_step(seed, chance(random, 50) ? "momentum(weight_decay=0.1)" : "sgd(momentum=0.5)");
    const Values values = random_values(step.graph, seed + 1);
    const std::vector<Tensor> wanted = run_alone(step.graph, values);
    shard_at_random(step, mesh, random);
    PlaceOptions options{.mesh = mesh, .network = step.network};
    if (chance(random, 40)) options.cut_further = cut_by_all;
    if (chance(random, 30)) options.deterministic = true;
    const Placed placed = place(step.graph, options);
    const std::vector<Tensor> found = run_placed(placed, values);
    ASSERT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i)
      ASSERT_EQ(difference(wanted[i], found[i], kTolerance), "")
          << "output " << i << " of seed " << seed << "\n"
          << to_string(placed);
  }
}

}  // namespace
}  // namespace tessera::testing
