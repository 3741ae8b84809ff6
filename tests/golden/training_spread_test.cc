// How far rounding alone carries a training run away. Where ours part from MindSpore's, it is no
// further than our own step in float32 parts from the same step in float64, or it is MindSpore's
// that part from float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tessera/passes/fold_constants.h"
#include "tests/golden/recorded_training.h"
#include "tests/golden/step_run.h"
#include "tests/support/bn_net.h"
#include "tests/support/made_weights.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

constexpr int64_t kRows = 32;  // of a batch, in every recorded run

double recorded_loss(const char* run, size_t step) {
  return recorded_runs().at(run).at("losses").items()[step].as_double();
}

std::vector<double> wide_losses(const RecordedRun& run, int64_t steps) {
  const Model model = recorded_lenet();
  const Pipeline rows = mnist_batches(model, kRows);
  const Graph network = fold_constants(trace(model.spec(), kRows, rows.row_type().shape));
  const TrainRecipe recipe = {.optimizer = parse_optimizer(run.options.optimizer),
                              .groups = run.options.groups};
  return StepRun(network, made_parameters(network, 3), recipe, {.reference_only = true},
                 DType::kF64)
      .losses(mnist_batches(model, kRows).limit(steps * kRows));
}

/// The two that leave MindSpore's within thirty steps by some of the kernels.
class TrainingSpread : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Recorded, TrainingSpread,
                         ::testing::Values("lenet_adam_wd", "lenet_cosine"),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(TrainingSpread, IsNoLessThanTheDistanceFromMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  constexpr size_t kSteps = 30;
  const std::vector<RecordedRun> runs = recorded_lenet_runs();
  const auto run = std::ranges::find(runs, GetParam(), &RecordedRun::name);
  ASSERT_NE(run, runs.end());
  const std::vector<double> wide = wide_losses(*run, kSteps);
  const std::vector<double> exact = losses_of(*run, {.threads = 1, .reference_only = true});
  const std::vector<double> fast = losses_of(*run, {.threads = 1});
  ASSERT_EQ(wide.size(), kSteps);
  double spread = 0;  // up to here, of a loss
  for (size_t i = 0; i < kSteps; ++i) {
    const double theirs = recorded_loss(GetParam(), i);
    spread = std::max(
        {spread, std::abs(exact[i] - wide[i]) / theirs, std::abs(fast[i] - wide[i]) / theirs});
    const double limit = std::max(1e-5, 2 * spread) * theirs;
    EXPECT_NEAR(exact[i], theirs, limit) << "step " << i + 1 << ", spread " << spread;
    EXPECT_NEAR(fast[i], theirs, limit) << "step " << i + 1 << ", spread " << spread;
  }
}

// MindSpore's float32 takes another side of one ReLU at step 20, where float64 has 1.9e-6 and
// MindSpore's weights, 1.4e-6 away by then, give -1.1e-5. Ours stay with float64.
TEST(BatchNormTraining, StaysWithFloat64AlsoWhereMindSporeLeavesIt) {
  TESSERA_NEEDS_SHARED_DATA();
  constexpr int64_t kSteps = 60;
  const Graph network = BnNet(kRows).graph();
  const TrainRecipe recipe = {.optimizer =
                                  parse_optimizer("momentum(learning_rate=0.05,momentum=0.9)")};
  const auto losses = [&](const CompileOptions& options, DType width = DType::kF32) {
    return StepRun(network, first_bn_weights(network), recipe, options, width)
        .losses(mnist_batches(recorded_lenet(), kRows).limit(kSteps * kRows));
  };
  const std::vector<double> wide = losses({.reference_only = true}, DType::kF64);
  const std::vector<double> exact = losses({.reference_only = true});
  const std::vector<double> deterministic = losses({.deterministic = true});
  const std::vector<double> fast = losses({});
  ASSERT_EQ(wide.size(), size_t{kSteps});
  for (size_t i = 0; i < wide.size(); ++i) {
    EXPECT_NEAR(exact[i] / wide[i], 1, 1e-6) << "step " << i + 1;
    EXPECT_NEAR(deterministic[i] / wide[i], 1, i < 30 ? 1e-5 : 1e-4) << "step " << i + 1;
    const double limit = i < 20 ? 1e-5 : i < 30 ? 5e-5 : 1e-2;
    EXPECT_NEAR(fast[i] / wide[i], 1, limit) << "step " << i + 1;
  }
  for (size_t i = 0; i < 20; ++i)
    EXPECT_NEAR(fast[i] / recorded_loss("bn_momentum", i), 1, 1e-5) << "step " << i + 1;
}

}  // namespace
}  // namespace tessera::testing
