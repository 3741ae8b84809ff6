// Training runs that MindSpore recorded in ../shared/data/mindspore/train: the same losses step by
// step from equal weights and equal batches.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/golden/recorded_training.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

class TrainingRun : public ::testing::TestWithParam<RecordedRun> {};

INSTANTIATE_TEST_SUITE_P(Recorded, TrainingRun, ::testing::ValuesIn(recorded_lenet_runs()),
                         [](const auto& run) { return run.param.name; });

/// How many steps from the first on have MindSpore's loss, to 1e-5 of it.
size_t equal_steps(const std::vector<double>& found, const RecordedRun& run) {
  for (size_t i = 0; i < found.size(); ++i) {
    const double wanted = recorded_runs().at(run.name).at("losses").items()[i].as_double();
    if (!(std::abs(found[i] - wanted) <= 1e-5 * wanted)) return i;
  }
  return found.size();
}

// A ReLU of nearly 0 and a maximum that is nearly a tie are decided by the last bit of a sum, and
// the losses part for good there. These kernels sum every element in one fixed order, on every
// processor, and stay with MindSpore in all nine.
TEST_P(TrainingRun, HasTheLossesOfMindSporeForThirtySteps) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::vector<double> losses = losses_of(GetParam(), {.threads = 1, .deterministic = true});
  ASSERT_EQ(losses.size(), 30U);
  EXPECT_EQ(equal_steps(losses, GetParam()), 30U);
}

// The reference kernels sum in f64, the fast ones in f32 in orders that suit the processor: both
// begin as MindSpore does, and one of them stays with it.
TEST_P(TrainingRun, HasThemWithOtherKernelsUntilRoundingDecides) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::vector<double> exact = losses_of(GetParam(), {.threads = 1, .reference_only = true});
  const std::vector<double> fast = losses_of(GetParam(), {.threads = 1});
  ASSERT_EQ(exact.size(), 30U);
  ASSERT_EQ(fast.size(), 30U);
  const size_t first = equal_steps(exact, GetParam());
  const size_t second = equal_steps(fast, GetParam());
  EXPECT_GE(std::min(first, second), 8U) << first << " and " << second;
  EXPECT_EQ(std::max(first, second), 30U) << first << " and " << second;
}

}  // namespace
}  // namespace tessera::testing
