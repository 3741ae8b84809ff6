// Batch norm's statistics over each rank's rows, as MindSpore's data_parallel takes them.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "tests/support/error_of.h"
#include "tests/training/digits_run.h"
#include "tests/training/on_ranks.h"

namespace tessera::testing {
namespace {

/// Pictures of noise for ResNet-20, from number `first` on.
class Noise final : public RowSource {
 public:
  Noise(int64_t first, int64_t size) : first_(first), size_(size) {}
  const std::string& name() const override { return name_; }
  int64_t size() const override { return size_; }
  Row row(int64_t index) const override {
    Tensor picture(DType::kF32, {3, 32, 32});
    uint64_t state = static_cast<uint64_t>(first_ + index) * 7919 + 1;
    // Rows differ in their mean and spread, so that statistics over other rows are other ones.
    const auto spread = static_cast<float>(1 + (first_ + index) % 5);
    for (float& value : picture.mutable_data<float>()) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      value = spread * (static_cast<float>(state >> 40) / 16777216.0F - 0.2F);
    }
    return {picture, static_cast<int32_t>((first_ + index) % 10)};
  }

 private:
  std::string name_ = "noise";
  int64_t first_;
  int64_t size_;
};

Pipeline noise(int64_t first, int64_t size, int64_t batch) {
  return Pipeline(std::make_shared<Noise>(first, size)).batch(batch);
}

std::vector<double> losses_of(int ranks, const Pipeline& rows, const TrainOptions& options,
                              const std::string& mesh = {}) {
  std::vector<double> found;
  on_ranks(ranks, [&](Communicator* world) {
    RunOptions run{.threads = 1, .world = world};
    lay_out(run.place, mesh, {{"conv1.weight", "[tp, -, -, -]"}});
    Model model = Model::open({.model = "resnet20", .seed = 4}, run);
    Trainer trainer(model, options);
    Losses losses;
    const std::vector<Callback*> callbacks = {&losses};
    trainer.train(1, rows, callbacks);
    if (trainer.rank() == 0) found = losses.all;
  });
  return found;
}

TEST(StatisticsPerRank, GiveTheFirstLossThatTheRanksHaveAloneInTheMean) {
  const TrainOptions per_rank{.statistics_per_rank = true};
  const double found = losses_of(2, noise(0, 8, 8), per_rank).at(0);
  const double first = losses_of(1, noise(0, 4, 4), {}).at(0);
  const double second = losses_of(1, noise(4, 4, 4), {}).at(0);
  EXPECT_NEAR(found, (first + second) / 2, 1e-5 * found);
  EXPECT_GT(std::abs(found - losses_of(2, noise(0, 8, 8), {}).at(0)), 1e-3);
}

TEST(StatisticsPerRank, AreThoseOfRanksThatShareRowsWhereParametersAreCutToo) {
  for (TrainOptions options :
       {TrainOptions{}, TrainOptions{.accumulate = 2}, TrainOptions{.micro_batches = 2}}) {
    options.statistics_per_rank = true;
    SCOPED_TRACE(fmt::format("{} {}", options.accumulate, options.micro_batches));
    const auto two = losses_of(2, noise(0, 16, 4), options);
    const auto four = losses_of(4, noise(0, 16, 4), options, "{dp=2,tp=2}");
    ASSERT_EQ(two.size(), 4U);
    for (size_t i = 0; i < two.size(); ++i) EXPECT_NEAR(four[i], two[i], 1e-4 * two[i]) << i;
  }
}

TEST(StatisticsPerRank, RefuseBatchesThatRanksDoNotShareEqually) {
  const std::string message =
      error_of([&] { losses_of(2, noise(0, 8, 5), {.statistics_per_rank = true}); });
  EXPECT_NE(message.find("5 rows in 1 micro-batches do not divide by 2"), std::string::npos)
      << message;
}

}  // namespace
}  // namespace tessera::testing
