// The same training on any number of ranks.
#include <gtest/gtest.h>

#include "tessera/checkpoint/digest.h"
#include "tessera/model/layout_rules.h"
#include "tests/training/digits_run.h"
#include "tests/training/on_ranks.h"

namespace tessera::testing {
namespace {

constexpr int64_t kBatch = 16;
constexpr int64_t kSteps = 30;

struct Way {
  std::string name;
  int ranks = 1;
  std::string mesh = {};
  Layouts layouts = {};
  bool deterministic = false;
  bool shard_optimizer = false;
  bool shard_parameters = false;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

RunOptions run_options(const Way& way, Communicator* world) {
  RunOptions run{.threads = 1, .deterministic = way.deterministic, .world = world};
  if (way.shard_parameters)
    run.place.cut_further = further_cuts({.parallel_optimizer_threshold = 0});
  lay_out(run.place, way.mesh, way.layouts);
  return run;
}

struct Result {
  std::vector<double> losses;
  Tensors weights;  // those that rank 0 has whole
};

/// LeNet-5 with new weights on the first digits, each rank the same.
Result train_rows(const Way& way, TrainOptions options, int64_t batch, int64_t rows) {
  options.shard_optimizer = way.shard_optimizer;
  Result result;
  on_ranks(way.ranks, [&](Communicator* world) {
    Model model = Model::open({.model = "lenet5", .seed = 3}, run_options(way, world));
    Trainer trainer(model, options);
    Losses losses;
    const std::vector<Callback*> callbacks = {&losses};
    trainer.train(1, digits(model.spec(), batch, rows), callbacks);
    if (world != nullptr && world->rank() != 0) return;
    result.losses = losses.all;
    result.weights = whole_tensors(trainer);
  });
  return result;
}

Result train(const Way& way, const TrainOptions& options) {
  return train_rows(way, options, kBatch, kBatch * kSteps);
}

class TrainingOnRanks : public ::testing::TestWithParam<Way> {};

INSTANTIATE_TEST_SUITE_P(
    Of, TrainingOnRanks,
    ::testing::Values(Way{"two_data_parallel", 2}, Way{"three_data_parallel", 3},
                      Way{"four_data_parallel", 4},
                      Way{"two_tensor_parallel", 2, "{tp=2}", kTensorParallel},
                      Way{"two_by_two", 4, "{dp=2,tp=2}", kTensorParallel},
                      Way{.name = "optimizer_sharded", .ranks = 4, .shard_optimizer = true},
                      Way{.name = "two_by_two_optimizer_sharded",
                          .ranks = 4,
                          .mesh = "{dp=2,tp=2}",
                          .layouts = kTensorParallel,
                          .shard_optimizer = true},
                      Way{.name = "parameters_sharded",
                          .ranks = 4,
                          .shard_optimizer = true,
                          .shard_parameters = true},
                      Way{.name = "two_by_two_parameters_sharded",
                          .ranks = 4,
                          .mesh = "{dp=2,tp=2}",
                          .layouts = kTensorParallel,
                          .shard_optimizer = true,
                          .shard_parameters = true}),
    [](const auto& way) { return way.param.name; });

TEST_P(TrainingOnRanks, HasTheLossesOfOneRankForThirtySteps) {
  for (const std::string optimizer :
       {"momentum(learning_rate=0.01,momentum=0.9)", "adam(learning_rate=1e-3)"}) {
    SCOPED_TRACE(optimizer);
    const Result alone = train({"alone"}, {.optimizer = optimizer});
    const Result found = train(GetParam(), {.optimizer = optimizer});
    ASSERT_EQ(alone.losses.size(), static_cast<size_t>(kSteps));
    ASSERT_EQ(found.losses.size(), alone.losses.size());
    for (size_t i = 0; i < found.losses.size(); ++i)
      EXPECT_NEAR(found.losses[i], alone.losses[i], 1e-5 * alone.losses[i]) << "step " << i + 1;
  }
}

TEST_P(TrainingOnRanks, HasTheSameBitsWhenItIsDeterministic) {
  const TrainOptions options{.optimizer = "momentum(learning_rate=0.01,momentum=0.9)"};
  Way way = GetParam();
  way.deterministic = true;
  const Result alone = train({.name = "alone", .deterministic = true}, options);
  const Result found = train(way, options);
  EXPECT_EQ(found.losses, alone.losses);
  expect_same_bits(alone.weights, found.weights);
}

TEST(OptimizerSharding, LeavesEachRankItsShareOfTheStates) {
  run_world({.ranks = 4}, [](Communicator& world) {
    Model model = Model::open({.model = "lenet5"}, {.threads = 1, .world = &world});
    Trainer trainer(model, {.optimizer = "adam", .shard_optimizer = true});
    trainer.train(1, digits(model.spec(), kBatch, kBatch), {});
    std::map<std::string, Shape> here;
    for (const TrainedTensor& tensor : trainer.tensors()) here[tensor.name] = tensor.values.shape();
    EXPECT_EQ(here.at("fc1.weight"), (Shape{120, 400}));
    EXPECT_EQ(here.at("moment1.fc1.weight"), (Shape{30, 400}));
    EXPECT_EQ(here.at("moment2.fc1.bias"), (Shape{30}));
    EXPECT_EQ(here.at("moment1.fc3.bias"), (Shape{10})) << "4 does not divide 10";
  });
}

/// The weights after 320 digits in batches, so many of which make a step, on so many ranks.
Tensors weights_by(int64_t batch, int accumulate, int ranks) {
  const Result result = train_rows(
      {.name = "", .ranks = ranks},
      {.optimizer = "momentum(learning_rate=0.05)", .accumulate = accumulate}, batch, 320);
  return result.weights;
}

TEST(Accumulation, OfFourBatchesStepsAsOneOfFourTimesTheRows) {
  const auto whole = weights_by(32, 1, 1);
  for (const int ranks : {1, 2}) {
    const auto parts = weights_by(8, 4, ranks);
    for (const char* name : {"conv1.weight", "conv2.weight", "fc1.weight", "fc3.weight"}) {
      const auto a = whole.at(name).data<float>(), b = parts.at(name).data<float>();
      for (size_t i = 0; i < a.size(); ++i)
        ASSERT_NEAR(a[i], b[i], 2e-5) << name << " " << i << " on " << ranks << " ranks";
    }
  }
}

}  // namespace
}  // namespace tessera::testing
