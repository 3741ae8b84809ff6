// How far rounding alone carries a training run away: where ours part from MindSpore's, it is no
// further than our own step in float32 parts from the same step in float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tessera/passes/fold_constants.h"
#include "tessera/passes/split_ends.h"
#include "tessera/passes/training.h"
#include "tessera/runtime/program.h"
#include "tessera/train/train_graph.h"
#include "tests/golden/recorded_training.h"
#include "tests/support/made_weights.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

DType wide(DType dtype) {
  return dtype == DType::kF32 ? DType::kF64 : dtype;
}

/// The graph with every float32 as a float64.
Graph in_f64(Graph graph) {
  for (ValueInfo& value : graph.values) value.dtype = wide(value.dtype);
  for (auto& [id, tensor] : graph.constants) tensor = tensor.cast(wide(tensor.dtype()));
  for (Node& node : graph.nodes)
    if (node.op->name == "cast" && std::get<std::string>(node.attrs.at("dtype")) == "f32")
      node.attrs.at("dtype") = std::string("f64");
  verify(graph);
  return graph;
}

/// A recorded run of LeNet-5, made with the step's graph in float64.
class WideRun {
 public:
  explicit WideRun(const RecordedRun& run)
      : model_(recorded_lenet()), batch_(recorded_runs().at(run.name).at("batch").as_int()) {
    recipe_.optimizer = parse_optimizer(run.options.optimizer);
    recipe_.groups = run.options.groups;
    const Shape row = mnist_batches(model_, batch_).row_type().shape;
    const Graph network = fold_constants(trace(model_.spec(), batch_, row));
    step_ = make_train_graph(split_ends(to_training(network, {})), recipe_);
    graph_ = in_f64(step_.graph);
    powers_.assign(step_.powers.size(), 1.0);
  }

  std::vector<double> losses(int64_t steps) {
    std::vector<Tensor> parameters;
    for (const ValueId id : graph_.parameters)
      parameters.push_back(parameter(graph_.values[static_cast<size_t>(id)]));
    Program program = Program::compile(graph_, parameters, {.threads = 2, .reference_only = true});
    std::vector<double> losses;
    Pipeline rows = mnist_batches(model_, batch_).limit(steps * batch_);
    while (const std::optional<Batch> batch = rows.next()) {
      std::vector<Tensor> inputs;
      for (const ValueId id : graph_.inputs)
        inputs.push_back(input(graph_.values[static_cast<size_t>(id)].name, *batch));
      losses.push_back(program.run(inputs)[0].data<double>()[0]);
      ++made_;
    }
    return losses;
  }

 private:
  Tensor parameter(const ValueInfo& value) const {
    for (const KeptTensor& kept : step_.kept) {
      if (kept.name != value.name) continue;
      Tensor made(DType::kF64, value.shape);
      std::ranges::fill(made.mutable_data<double>(), kept.initial);
      return made.cast(value.dtype);
    }
    return made_parameter(value.name, value.shape, 3).cast(value.dtype);
  }

  Tensor input(const std::string& name, const Batch& batch) {
    if (name == "labels") return batch.labels;
    if (name == "step") return Tensor::scalar(made_);
    if (name == "learning_rate") return Tensor::scalar(step_.rates[0].rate(made_));
    for (size_t i = 0; i < powers_.size(); ++i) {
      if (step_.powers[i].name != name) continue;
      const std::string option(step_.powers[i].option);
      powers_[i] *= std::get<double>(recipe_.optimizer.options.at(option));
      return Tensor::scalar(powers_[i]);
    }
    return batch.data.cast(DType::kF64);
  }

  Model model_;
  int64_t batch_;
  TrainRecipe recipe_;
  TrainGraph step_;
  Graph graph_;
  std::vector<double> powers_;
  int64_t made_ = 0;
};

/// The two that leave MindSpore's within thirty steps by one of the kernels.
class TrainingSpread : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Recorded, TrainingSpread,
                         ::testing::Values("lenet_adam_wd", "lenet_cosine"),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(TrainingSpread, IsNoLessThanTheDistanceFromMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  constexpr size_t kSteps = 30;
  const std::vector<RecordedRun> runs = recorded_lenet_runs();
  const auto run =
      std::ranges::find_if(runs, [](const RecordedRun& one) { return one.name == GetParam(); });
  ASSERT_NE(run, runs.end());
  const std::vector<double> wide = WideRun(*run).losses(kSteps);
  const std::vector<double> exact = losses_of(*run, {.threads = 1, .reference_only = true});
  const std::vector<double> fast = losses_of(*run, {.threads = 1});
  ASSERT_EQ(wide.size(), kSteps);
  double spread = 0;  // up to here, of a loss
  for (size_t i = 0; i < kSteps; ++i) {
    const double theirs = recorded_runs().at(run->name).at("losses").items()[i].as_double();
    spread = std::max(
        {spread, std::abs(exact[i] - wide[i]) / theirs, std::abs(fast[i] - wide[i]) / theirs});
    const double limit = std::max(1e-5, 2 * spread) * theirs;
    EXPECT_NEAR(exact[i], theirs, limit) << "step " << i + 1 << ", spread " << spread;
    EXPECT_NEAR(fast[i], theirs, limit) << "step " << i + 1 << ", spread " << spread;
  }
}

}  // namespace
}  // namespace tessera::testing
