// Micro-batches and pipeline stages: the numbers of accumulation over the same micro-batches.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "tessera/model/auto_parallel_context.h"
#include "tessera/model/train/model_checkpoint.h"
#include "tessera/nn/layers.h"
#include "tessera/passes/place.h"
#include "tests/support/error_of.h"
#include "tests/support/scratch_folder.h"
#include "tests/training/digits_run.h"
#include "tests/training/on_ranks.h"

namespace tessera::testing {
namespace {

constexpr int64_t kRows = 32;  // of a batch
constexpr int kCount = 4;      // micro-batches of it
constexpr int64_t kSteps = 30;
const std::string kMomentum = "momentum(learning_rate=0.01,momentum=0.9)";

/// Batch norm, whose statistics go on from micro-batch to micro-batch, dropout, which counts them,
/// and a weight that two stages read.
Value build_blocks(const Scope& scope, Value x, const Attrs&) {
  const Scope a = scope / "a", b = scope / "b", c = scope / "c";
  x = conv2d(a, x, {.out = 4, .kernel = 5, .stride = 4});
  x = flatten(a, activation(a, batch_norm(a, x), "relu"));
  x = activation(b, dense(b, x, 24), "relu");
  const Value tied = scope.parameter("tied", {24, 24}, normal(0.1));
  x = b.emit("dropout", {b.emit("dense", {x, tied})}, {{"p", 0.3}});
  x = c.emit("dense", {activation(c, x, "relu"), tied});
  return dense(c, batch_norm(c, x), 10);
}

const ModelDef& blocks() {
  static const ModelDef def = [] {
    ModelDef made = *parse_model("lenet5").model;
    made.name = "blocks";
    made.options = {};
    made.row_shape = [](const Attrs&) { return Shape{1, 32, 32}; };
    made.build = build_blocks;
    return made;
  }();
  return def;
}

struct Way {
  std::string name;
  std::vector<std::vector<std::string>> stages = {};
  std::string mesh = {};  // of a stage
  Layouts layouts = {};
  bool own_network = false;
  bool shard_optimizer = false;
  bool deterministic = false;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

RunOptions run_options(const Way& way, Communicator* world) {
  RunOptions run{.threads = 1, .deterministic = way.deterministic, .world = world};
  run.place.stages = way.stages;
  lay_out(run.place, way.mesh, way.layouts);
  return run;
}

struct Result {
  std::vector<double> losses;  // of steps
  Tensors tensors;             // those that a rank has whole
};

Result train(const Way& way, const TrainOptions& options, int ranks, int64_t steps = kSteps) {
  Result result;
  std::mutex mutex;
  on_ranks(ranks, [&](Communicator* world) {
    ModelSource source{.model = "lenet5", .seed = 3};
    if (way.own_network) source.network = &blocks();
    Model model = Model::open(source, run_options(way, world));
    Trainer trainer(model, options);
    Losses losses;
    const std::vector<Callback*> callbacks = {&losses};
    const int64_t batches = options.accumulate;
    trainer.train(1, digits(parse_model("lenet5"), kRows / batches, kRows * steps), callbacks);
    const std::scoped_lock lock(mutex);
    result.tensors.merge(whole_tensors(trainer));
    if (world != nullptr && world->rank() != 0) return;
    for (size_t i = 0; i < losses.all.size(); i += static_cast<size_t>(batches)) {
      float mean = 0;  // as the graph adds them up
      for (int64_t b = 0; b < batches; ++b)
        mean += static_cast<float>(losses.all[i + static_cast<size_t>(b)]) /
                static_cast<float>(batches);
      result.losses.push_back(static_cast<double>(mean));
    }
  });
  return result;
}

int ranks_of(const Way& way) {
  const auto stages = std::max<int>(1, static_cast<int>(way.stages.size()));
  return way.mesh.empty() ? stages : parse_mesh(way.mesh)->rank_count() * stages;
}

const std::vector<std::vector<std::string>> kTwo = {{"conv*"}, {"fc*"}};
const std::vector<std::vector<std::string>> kThree = {{"conv*"}, {"fc1", "fc2"}, {"fc3"}};

class MicroBatches : public ::testing::TestWithParam<Way> {};

INSTANTIATE_TEST_SUITE_P(Of, MicroBatches,
                         ::testing::Values(Way{"one_rank"}, Way{"two_data_parallel", {}, "{dp=2}"},
                                           Way{"two_stages", kTwo}, Way{"three_stages", kThree},
                                           Way{"two_stages_two_data_parallel", kTwo, "{dp=2}"},
                                           Way{"two_stages_two_tensor_parallel", kTwo, "{tp=2}",
                                               kTensorParallel},
                                           Way{.name = "two_stages_optimizer_sharded",
                                               .stages = kTwo,
                                               .mesh = "{dp=2}",
                                               .shard_optimizer = true},
                                           Way{.name = "own_network_one_rank", .own_network = true},
                                           Way{.name = "own_network_three_stages",
                                               .stages = {{"a*"}, {"b*"}, {"c*"}},
                                               .own_network = true},
                                           Way{.name = "own_network_two_stages_two_data_parallel",
                                               .stages = {{"a*"}, {"b*", "c*"}},
                                               .mesh = "{dp=2}",
                                               .own_network = true}),
                         [](const auto& way) { return way.param.name; });

/// What accumulation on one rank gives; computed once.
const Result& accumulated(const Way& way, const std::string& optimizer, int64_t steps) {
  static std::map<std::tuple<bool, bool, std::string>, Result> known;
  const auto [it, is_new] =
      known.try_emplace({way.own_network, way.deterministic, optimizer}, Result{});
  const Way alone{
      .name = "alone", .own_network = way.own_network, .deterministic = way.deterministic};
  if (is_new)
    it->second = train(
        alone, {.optimizer = optimizer, .clip_norm = 5, .accumulate = kCount, .seed = 4}, 1, steps);
  return it->second;
}

Result in_micro_batches(const Way& way, const std::string& optimizer, int64_t steps) {
  return train(way,
               {.optimizer = optimizer,
                .clip_norm = 5,
                .micro_batches = kCount,
                .seed = 4,
                .shard_optimizer = way.shard_optimizer},
               ranks_of(way), steps);
}

TEST_P(MicroBatches, HaveTheLossesOfAccumulationForThirtySteps) {
  const Way& way = GetParam();
  const Result& wanted = accumulated(way, kMomentum, kSteps);
  const Result found = in_micro_batches(way, kMomentum, kSteps);
  ASSERT_EQ(found.losses.size(), static_cast<size_t>(kSteps));
  for (size_t i = 0; i < found.losses.size(); ++i)
    EXPECT_NEAR(found.losses[i], wanted.losses[i], 1e-5 * wanted.losses[i]) << "step " << i + 1;
}

TEST_P(MicroBatches, HaveTheBitsOfAccumulationWhenTheyAreDeterministic) {
  Way way = GetParam();
  way.deterministic = true;
  constexpr int64_t kSomeSteps = 12;
  const Result& wanted = accumulated(way, kMomentum, kSomeSteps);
  const Result found = in_micro_batches(way, kMomentum, kSomeSteps);
  EXPECT_EQ(found.losses, wanted.losses);
  expect_same_bits(wanted.tensors, found.tensors);
  EXPECT_GE(found.tensors.size(), 8U);
}

TEST(Stages, OfOneMicroBatchTrainAsOneRank) {
  const Way way{"one", kThree};
  const Result wanted = train({"alone"}, {}, 1, 10);
  const Result found = train(way, {}, 3, 10);
  for (size_t i = 0; i < wanted.losses.size(); ++i)
    EXPECT_NEAR(found.losses[i], wanted.losses[i], 1e-5 * wanted.losses[i]);
}

TEST(Stages, AccumulateBatchesOfMicroBatches) {
  const TrainOptions both{.optimizer = "adam", .accumulate = 2, .micro_batches = 2};
  const Result wanted = train({"alone"}, {.optimizer = "adam", .accumulate = 4}, 1, 10);
  for (const Way& way : {Way{"alone"}, Way{"two", kTwo}}) {
    const Result found = train(way, both, ranks_of(way), 10);
    ASSERT_EQ(found.losses.size(), wanted.losses.size());
    for (size_t i = 0; i < wanted.losses.size(); ++i)
      EXPECT_NEAR(found.losses[i], wanted.losses[i], 1e-5 * wanted.losses[i]);
  }
}

TEST(MicroBatches, ThatDoNotDivideABatchAreRefused) {
  Model model = Model::open({.model = "lenet5"}, {.threads = 1});
  Trainer trainer(model, {.micro_batches = 4});
  const std::string whole = error_of([&] { trainer.train(1, digits(model.spec(), 30, 60), {}); });
  EXPECT_NE(whole.find("batch of 30 rows does not divide into 4 micro-batches"), std::string::npos)
      << whole;
  const std::string last = error_of([&] { trainer.train(1, digits(model.spec(), 32, 42), {}); });
  EXPECT_NE(last.find("last batch of an epoch has 10 rows"), std::string::npos) << last;
}

/// MindSpore's words for two stages of two ranks each.
TEST(Stages, OfAnAutoParallelContextTrainAndComeBackFromTheSlicesThatRanksSave) {
  const ScratchFolder folder("stages");
  const Result wanted = train({"alone"}, {.accumulate = 2}, 1, 12);
  const auto run = [&](bool full_batch, const std::string& saves, const ModelSource& resume) {
    std::vector<double> found;
    run_world({.ranks = 4}, [&](Communicator& world) {
      AutoParallelContext context{.parallel_mode = ParallelMode::kSemiAutoParallel,
                                  .device_num = 4,
                                  .full_batch = full_batch,
                                  .pipeline_stages = 2,
                                  .stage_scopes = kTwo};
      context.strategy_ckpt_save_file = folder.path() / "strategy.ckpt";
      RunOptions options = tessera::run_options(context, world);
      options.threads = 1;
      Model model = Model::open({.model = "lenet5", .seed = 3}, options);
      Trainer trainer(model, {.micro_batches = 2});
      if (!resume.weights.empty()) trainer.restore(resume);
      Losses losses;
      ModelCheckpoint saver(
          "s", folder.path() / saves / fmt::format("rank_{}_ckpt", world.rank()),
          {.save_checkpoint_steps = 6, .keep_checkpoint_max = 9, .integrated_save = false});
      const std::vector<Callback*> callbacks = {&losses, &saver};
      trainer.train(1, digits(model.spec(), kRows, kRows * 12), callbacks);
      if (world.rank() == 0) found = losses.all;
    });
    return found;
  };
  const auto expect_wanted = [&](const std::vector<double>& found) {
    const size_t first = wanted.losses.size() - found.size();
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], wanted.losses[first + i], 1e-5 * found[i]) << "step " << first + i + 1;
  };
  const std::vector<double> whole = run(true, "whole", {});
  ASSERT_EQ(whole.size(), 12U);
  expect_wanted(whole);
  expect_wanted(run(false, "parts", {}));
  const Strategy strategy = read_strategy(folder.path() / "strategy.ckpt");
  EXPECT_EQ(strategy.stage_count, 2);
  for (const ParameterLayout& one : strategy.parameters)
    EXPECT_EQ(one.stage, one.name.find("fc") == std::string::npos ? 0 : 1) << one.name;
  EXPECT_TRUE(std::any_of(strategy.operators.begin(), strategy.operators.end(), [](const auto& op) {
    return op.name == "MatMul_fc1.weight" && op.stage == 1;
  }));
  const std::vector<double> on = run(true, "on",
                                     {.weights = {folder.path() / "whole/rank_*_ckpt/s-1_6.ckpt"},
                                      .strategy = folder.path() / "strategy.ckpt"});
  ASSERT_EQ(on.size(), 6U);
  expect_wanted(on);
}

TEST(Stages, ALossThatIsNoNumberStopsAllBeforeTheStep) {
  const std::string message = error_of([&] {
    run_world({.ranks = 2}, [&](Communicator& world) {
      Model model = Model::open({.model = "lenet5", .seed = 5}, run_options({"two", kTwo}, &world));
      Trainer trainer(model, {.optimizer = "sgd(learning_rate=1e20)", .micro_batches = 2});
      try {
        trainer.train(1, digits(model.spec(), 8, 800), {});
      } catch (const Error&) {
        for (const TrainedTensor& tensor : trainer.tensors()) {
          if (tensor.values.dtype() != DType::kF32) continue;
          for (const float value : tensor.values.data<float>())
            EXPECT_TRUE(std::isfinite(value)) << tensor.name;
        }
        throw;
      }
    });
  });
  EXPECT_NE(message.find("the loss of step"), std::string::npos) << message;
}

TEST(Stages, TakeWhatIsInNoLayerWithTheLayerThatItReads) {
  // The relu between bn1 and layer1 has no name that '*' could match.
  const Graph graph = trace(parse_model("resnet20"), 1, {3, 32, 32});
  const std::vector<int> stages = stages_of_nodes(graph, {{"conv1", "bn1", "layer1*"}, {"*"}});
  EXPECT_TRUE(std::ranges::is_sorted(stages));
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const std::string& scope = graph.nodes[n].scope;
    EXPECT_TRUE(!scope.starts_with("layer1") || stages[n] == 0) << n;
    EXPECT_TRUE(!scope.starts_with("layer2") || stages[n] == 1) << n;
  }
  const std::string message = error_of([&] {
    stages_of_nodes(graph, {{"conv1"}, {"layer1*"}, {"*"}});
  });
  EXPECT_NE(message.find("'layer1.0.conv1' of stage 1 reads what 'bn1' of stage 2 computes"),
            std::string::npos)
      << message;
}

}  // namespace
}  // namespace tessera::testing
