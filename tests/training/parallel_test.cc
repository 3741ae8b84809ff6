// Training as set_auto_parallel_context says: placements that are searched for, parameters that are
// kept cut further, summed gradients, accumulation.
#include <gtest/gtest.h>

#include <cmath>

#include "tessera/model/predict_layout.h"
#include "tessera/model/spread.h"
#include "tessera/model/train/parallel_training.h"
#include "tests/training/digits_run.h"
#include "tests/training/on_ranks.h"

namespace tessera::testing {
namespace {

constexpr int64_t kBatch = 16;
constexpr int64_t kSteps = 12;

struct Result {
  std::vector<double> losses;
  std::map<std::string, Shape> shapes;  // of what rank 0 has
  std::map<std::string, Tensor> whole;  // tensors that rank 0 has all of
};

/// `run` makes the options of a model from those of the training, on each rank.
using RunOf = std::function<RunOptions(Communicator&, const TrainOptions&)>;

Result train(int ranks, const TrainOptions& options, const RunOf& run = nullptr,
             const std::string& model_name = "lenet5") {
  Result result;
  on_ranks(ranks, [&](Communicator* world) {
    RunOptions how{.threads = 1};
    if (world != nullptr) how = run(*world, options);
    how.threads = 1;
    Model model = Model::open({.model = model_name, .seed = 3}, how);
    Trainer trainer(model, options);
    Losses losses;
    const std::vector<Callback*> callbacks = {&losses};
    trainer.train(1, digits(model.spec(), kBatch, kBatch * kSteps), callbacks);
    if (world != nullptr && world->rank() != 0) return;
    result.losses = losses.all;
    for (const TrainedTensor& tensor : trainer.tensors()) {
      result.shapes[tensor.name] = tensor.values.shape();
      if (tensor.values.shape() == tensor.shape)
        result.whole.emplace(tensor.name, tensor.values.clone());
    }
  });
  return result;
}

void expect_equal_losses(const Result& found, const Result& wanted) {
  ASSERT_EQ(found.losses.size(), wanted.losses.size());
  for (size_t i = 0; i < found.losses.size(); ++i)
    EXPECT_NEAR(found.losses[i], wanted.losses[i], 1e-5 * wanted.losses[i]) << "step " << i + 1;
}

RunOptions searched(Communicator& world, const TrainOptions& options, int64_t limit = 0) {
  RunOptions run{.world = &world};
  run.search = SearchOptions{.memory_limit = limit, .rows = kBatch};
  run.search->training = std::make_shared<const TrainRecipe>(recipe_of(options));
  return run;
}

TEST(SearchedTraining, HasTheLossesOfOneRank) {
  const TrainOptions options{.optimizer = "adam(learning_rate=1e-3)"};
  const Result alone = train(1, options);
  for (const int ranks : {2, 3, 4}) {
    SCOPED_TRACE(ranks);
    expect_equal_losses(
        train(ranks, options,
              [](Communicator& world, const TrainOptions& how) { return searched(world, how); }),
        alone);
  }
}

// Large batches are cut by rows, so that every rank has all parameters, unless memory is short.
TEST(SearchedTraining, FitsTheLimitOfMemoryOrSaysWhatIsNeeded) {
  const auto parameters_on_a_rank = [](int64_t limit) {
    RunOptions run{.threads = 1};
    run.search = SearchOptions{.memory_limit = limit, .rows = 1200};
    run.search->training = std::make_shared<const TrainRecipe>(recipe_of({.optimizer = "adam"}));
    const ModelSpec spec = parse_model("mlp(hidden=[512,512,512])");
    const Spread spread(spec, {1, 16, 32}, run, 4);
    int64_t elements = 0;
    for (const auto& [name, layout] : spread.layouts()) {
      const Graph& graph = spread.placed(1200).graph;
      const Shape& shape = graph.values[static_cast<size_t>(*graph.find(name))].shape;
      elements += element_count(local_box(layout, shape, 0).size);
    }
    return elements;
  };
  EXPECT_EQ(parameters_on_a_rank(1 << 30), parameters_on_a_rank(0));
  EXPECT_LT(parameters_on_a_rank(16 << 20), parameters_on_a_rank(0));
  try {
    parameters_on_a_rank(1 << 20);
    FAIL() << "1 MiB was enough";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("training steps of 1200 rows"), std::string::npos)
        << error.what();
  }
}

AutoParallelContext context_of(std::string_view mode, int ranks) {
  AutoParallelContext context{.device_num = ranks};
  context.set("parallel_mode", mode);
  if (mode != "data_parallel") context.set("full_batch", "True");
  return context;
}

RunOf by_context(const AutoParallelContext& context) {
  return [context](Communicator& world, const TrainOptions& options) {
    AutoParallelContext mine = context;
    mine.global_rank = world.rank();
    return training_run_options(mine, world, options);
  };
}

TEST(ParallelContext, KeepsParametersCutFurtherInSemiAutoParallel) {
  const TrainOptions base{.optimizer = "adam(learning_rate=1e-3)"};
  const Result alone = train(1, base);
  for (const auto& [config, rows] : std::vector<std::pair<std::string, int64_t>>{
           {"{'parallel_optimizer_threshold': 0}", 30},
           {"{'parallel_optimizer_threshold': 0, 'optimizer_weight_shard_size': 2}", 60},
           {"{'parallel_optimizer_threshold': 1000}", 120},
           {"{}", 30}}) {
    SCOPED_TRACE(config);
    AutoParallelContext context = context_of("semi_auto_parallel", 4);
    context.set("enable_parallel_optimizer", "True");
    context.set("parallel_optimizer_config", config);
    const Result found = train(4, train_options(context, base), by_context(context));
    expect_equal_losses(found, alone);
    EXPECT_EQ(found.shapes.at("fc1.weight"), (Shape{rows, 400}));
    EXPECT_EQ(found.shapes.at("moment1.fc1.weight"), (Shape{rows, 400}));
    EXPECT_EQ(found.shapes.at("fc3.bias"),
              (Shape{config.find("size") == std::string::npos ? 10 : 5}));
  }
}

TEST(ParallelContext, InDataParallelTheOptimizersStatesAloneAreCut) {
  AutoParallelContext context = context_of("data_parallel", 4);
  context.set("gradients_mean", "True");
  context.set("enable_parallel_optimizer", "True");
  const TrainOptions base{.optimizer = "momentum(learning_rate=0.01,momentum=0.9)"};
  const Result found = train(4, train_options(context, base), by_context(context));
  expect_equal_losses(found, train(1, base));
  EXPECT_EQ(found.shapes.at("fc1.weight"), (Shape{120, 400}));
  EXPECT_EQ(found.shapes.at("moments.fc1.weight"), (Shape{30, 400}));
}

// With plain steps the sum of the gradients of four ranks is a rate four times as high.
TEST(ParallelContext, GradientsAreSummedWithoutGradientsMean) {
  const AutoParallelContext context = context_of("data_parallel", 4);
  const TrainOptions options =
      train_options(context, {.optimizer = "sgd(learning_rate=0.005,momentum=0)"});
  EXPECT_TRUE(options.sum_gradients);
  EXPECT_TRUE(options.statistics_per_rank);
  expect_equal_losses(train(4, options, by_context(context)),
                      train(1, {.optimizer = "sgd(learning_rate=0.02,momentum=0)"}));
}

TEST(ParallelContext, AccumulatesGradientsCutOrWhole) {
  const TrainOptions base{.optimizer = "momentum(learning_rate=0.01,momentum=0.9)",
                          .accumulate = 3};
  const Result alone = train(1, base);
  for (const std::string mode : {"semi_auto_parallel", "auto_parallel"})
    for (const bool is_cut : {false, true}) {
      SCOPED_TRACE(mode);
      AutoParallelContext context = context_of(mode, 4);
      context.set("grad_accumulation_step", "3");
      context.set("enable_parallel_optimizer", "True");
      context.set("parallel_optimizer_config",
                  is_cut
                      ? "{'parallel_optimizer_threshold': 0, 'gradient_accumulation_shard': True}"
                      : "{'parallel_optimizer_threshold': 0}");
      const TrainOptions options = train_options(context, {.optimizer = base.optimizer});
      EXPECT_EQ(options.accumulate, 3);
      expect_equal_losses(train(4, options, by_context(context)), alone);
    }
}

TEST(ParallelContext, SearchesAPlacementOfTrainingInAutoParallel) {
  const TrainOptions base{.optimizer = "momentum(learning_rate=0.01,momentum=0.9)"};
  const AutoParallelContext context = context_of("auto_parallel", 4);
  expect_equal_losses(train(4, train_options(context, base), by_context(context)), train(1, base));
}

TEST(ParallelContext, RowsMayBeCutAcrossTheirDims) {
  const TrainOptions base{.optimizer = "momentum(learning_rate=0.01,momentum=0.9)"};
  AutoParallelContext context = context_of("semi_auto_parallel", 4);
  context.set("dataset_strategy", "((2,1,2,1),(2,))");
  expect_equal_losses(train(4, train_options(context, base), by_context(context)), train(1, base));
}

TEST(ParallelContext, SaysWhyGradientsMeanHasNoMeaningWhereTheLossIsOfAllRanks) {
  AutoParallelContext context = context_of("semi_auto_parallel", 4);
  context.set("gradients_mean", "True");
  try {
    (void)train_options(context);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the batch of all ranks"), std::string::npos);
  }
}

/// What strategy_ckpt_save_file would hold of a training of resnet20, which has batch norms.
Strategy strategy_of_resnet(const AutoParallelContext& context) {
  const TrainOptions options = train_options(context, {.optimizer = "momentum"});
  const RunOptions run = training_run_options(context, options);
  const ModelSpec spec = parse_model("resnet20");
  const Spread spread(spec, {3, 32, 32}, run, 4);
  Graph network = training_network(spec, 32, {3, 32, 32}, {}, run);
  return strategy_of(
      spread.place_training(make_train_graph(std::move(network), recipe_of(options))));
}

TEST(ParallelContext, ItsStrategyFileIsReadBack) {
  AutoParallelContext context = context_of("auto_parallel", 4);
  context.strategy_ckpt_save_file = std::filesystem::path(::testing::TempDir()) / "resnet.ckpt";
  const Strategy saved = strategy_of_resnet(context);
  write_strategy(saved, context.strategy_ckpt_save_file);
  const auto has = [&](std::string_view name) {
    return std::any_of(saved.operators.begin(), saved.operators.end(),
                       [&](const OperatorStrategy& op) { return op.name == name; });
  };
  EXPECT_TRUE(has("BatchNorm_bn1.gamma"));
  EXPECT_FALSE(has("Mul_bn1.moving_mean"));
  AutoParallelContext other = context_of("semi_auto_parallel", 4);
  other.strategy_ckpt_load_file = context.strategy_ckpt_save_file;
  const Strategy again = strategy_of_resnet(other);
  ASSERT_EQ(again.operators.size(), saved.operators.size());
  for (size_t i = 0; i < saved.operators.size(); ++i)
    EXPECT_EQ(again.operators[i], saved.operators[i]) << saved.operators[i].name;
}

}  // namespace
}  // namespace tessera::testing
