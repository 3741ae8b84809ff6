// Scaled losses, steps that overflow, and products in bf16 and f16.
#include <gtest/gtest.h>

#include <cmath>

#include "tessera/comm/communicator.h"
#include "tessera/model/train/model_checkpoint.h"
#include "tessera/tensor/half.h"
#include "tests/support/scratch_folder.h"
#include "tests/training/digits_run.h"

namespace tessera::testing {
namespace {

/// What lies in a trainer of LeNet after two epochs of ten steps.
Tensors trained_with(const TrainOptions& options) {
  Model model = lenet();
  Trainer trainer(model, options);
  trainer.train(2, digits(model.spec(), 8, 80));
  return tensors_of(trainer);
}

class Steps final : public Callback {
 public:
  void step_end(Trainer&, const StepReport& step) override { all.push_back(step); }
  std::vector<StepReport> all;
};

TEST(LossScale, OfAPowerOfTwoChangesNoBit) {
  for (const TrainOptions& options : {TrainOptions{.optimizer = "momentum(weight_decay=1e-4)"},
                                      TrainOptions{.optimizer = "adam", .clip_norm = 1},
                                      TrainOptions{.optimizer = "momentum", .accumulate = 2}}) {
    const Tensors plain = trained_with(options);
    for (const char* scale : {"128", "fixed(loss_scale=1024,drop_overflow_update=false)",
                              "dynamic(init_loss_scale=65536)"}) {
      TrainOptions scaled = options;
      scaled.loss_scale = scale;
      SCOPED_TRACE(scale);
      expect_same_bits(trained_with(scaled), plain);
    }
  }
}

/// At first, and whenever the scale has grown, the gradients of LeNet are no numbers of f16.
TrainOptions overflowing() {
  return {.optimizer = "adam(learning_rate=1e-3)",
          .loss_scale = "dynamic(init_loss_scale=1073741824,scale_factor=256,scale_window=3)",
          .products = DType::kF16};
}

TEST(LossScale, FallsWhereGradientsOverflowAndGrowsAgain) {
  Model model = lenet();
  Trainer trainer(model, overflowing());
  const Tensors before = tensors_of(trainer);
  Steps steps;
  const std::vector<Callback*> callbacks = {&steps};
  trainer.train(2, digits(model.spec(), 8, 80), callbacks);
  ASSERT_EQ(steps.all.size(), 20U);
  // MindSpore's DynamicLossScaleUpdateCell, played through.
  float scale = 1073741824;
  int64_t last = 0, dropped = 0;
  for (size_t i = 0; i < steps.all.size(); ++i) {
    const int64_t now = static_cast<int64_t>(i) + 1;
    EXPECT_EQ(steps.all[i].loss_scale, static_cast<double>(scale)) << now;
    EXPECT_EQ(steps.all[i].global_step, now);
    EXPECT_TRUE(std::isfinite(steps.all[i].loss));
    const bool grows = now - last >= 3;
    if (steps.all[i].is_dropped) {
      scale = std::max(scale * (1 / 256.0F), 1.0F);
      ++dropped;
    } else if (grows) {
      scale *= 256;
    }
    if (grows || steps.all[i].is_dropped) last = now;
  }
  EXPECT_TRUE(steps.all[0].is_dropped);
  EXPECT_GT(dropped, 1);
  EXPECT_LT(dropped, 18);
  EXPECT_EQ(trainer.global_step(), 20 - dropped);
  EXPECT_EQ(trainer.step_count(), 20);
  EXPECT_EQ(trainer.loss_scale().scale(), scale);
}

TEST(LossScale, AnOverflowChangesNothingButTheScale) {
  for (const int accumulate : {1, 2}) {
    Model model = lenet();
    TrainOptions options = overflowing();
    options.accumulate = accumulate;
    Trainer trainer(model, options);
    const Tensors before = tensors_of(trainer);
    trainer.train(1, digits(model.spec(), 8, 8 * accumulate));
    EXPECT_EQ(trainer.step_count(), 1);
    EXPECT_EQ(trainer.global_step(), 0);
    for (const auto& [name, values] : tensors_of(trainer)) {
      if (name == "scale_sense" || name.ends_with("_iterator_step")) continue;
      const auto was = before.find(name);
      if (was != before.end()) {
        EXPECT_TRUE(std::ranges::equal(values.bytes(), was->second.bytes())) << name;
      } else {  // what the optimizer keeps is made by the first step
        EXPECT_EQ(values.data<float>()[0], 0) << name;
      }
    }
  }
}

TEST(LossScale, GoesOnWhereItWasSaved) {
  const Tensors whole = trained_with(overflowing());
  ASSERT_TRUE(whole.contains("scale_sense"));
  for (const int64_t steps : {2, 9, 14}) {
    const ScratchFolder folder("scale");
    Model model = lenet();
    ModelCheckpoint saver("s", folder.path(),
                          {.save_checkpoint_steps = steps, .keep_checkpoint_max = 99});
    const std::vector<Callback*> callbacks = {&saver};
    Trainer(model, overflowing()).train(2, digits(model.spec(), 8, 80), callbacks);
    Model other = lenet();
    Trainer trainer(other, overflowing());
    trainer.restore({.weights = {folder.path() / fmt::format("s-{}_{}.ckpt", (steps - 1) / 10 + 1,
                                                             (steps - 1) % 10 + 1)}});
    EXPECT_EQ(trainer.step_count(), steps);
    trainer.train(2, digits(other.spec(), 8, 80));
    const Tensors found = tensors_of(trainer);
    ASSERT_EQ(found.size(), whole.size());
    SCOPED_TRACE(steps);
    expect_same_bits(found, whole);
  }
}

TEST(LossScale, IsSavedUnderMindSporesNamesInItsOrder) {
  Model model = lenet();
  Trainer trainer(model, overflowing());
  trainer.train(1, digits(model.spec(), 8, 8));
  std::vector<std::string> names;
  for (const TrainedTensor& tensor : trainer.tensors()) names.push_back(tensor.name);
  ASSERT_EQ(names.size(), 8U + 1 + 1 + 1 + 2 + 16 + 2);
  EXPECT_EQ(names[8], "scale_sense");
  EXPECT_EQ(names[9], "global_step");
  EXPECT_EQ(names[names.size() - 2], "current_iterator_step");
  EXPECT_EQ(names.back(), "last_overflow_iterator_step");
}

TEST(LossScale, RanksAgreeOnAnOverflow) {
  Steps alone;
  {
    Model model = lenet();
    Trainer trainer(model, overflowing());
    const std::vector<Callback*> callbacks = {&alone};
    trainer.train(2, digits(model.spec(), 8, 80), callbacks);
  }
  run_world({.ranks = 2}, [&](Communicator& world) {
    Model model = Model::open({.model = "lenet5", .seed = 5}, {.threads = 1, .world = &world});
    Trainer trainer(model, overflowing());
    Steps together;
    const std::vector<Callback*> callbacks = {&together};
    trainer.train(2, digits(model.spec(), 8, 80), callbacks);
    ASSERT_EQ(together.all.size(), alone.all.size());
    for (size_t i = 0; i < alone.all.size(); ++i)
      EXPECT_EQ(together.all[i].is_dropped, alone.all[i].is_dropped) << i;
    EXPECT_EQ(trainer.loss_scale().scale(), static_cast<float>(alone.all.back().loss_scale));
  });
}

TEST(LossScale, RefusesWhatMeansNothing) {
  for (const char* wrong : {"fast", "0", "-3", "fixed(loss_scale=0.5)", "dynamic(scale_window=0)",
                            "dynamic(init_loss_scale=1e40)", "dynamic(window=3)", "fixed(1"})
    EXPECT_THROW((void)parse_loss_scale(wrong), Error) << wrong;
}

/// The share of 1,000 test digits that LeNet knows after 450 steps.
double accuracy_with(DType products, const std::string& loss_scale) {
  Model model = lenet();
  Trainer trainer(
      model,
      {.optimizer = "adam(learning_rate=1e-3)", .loss_scale = loss_scale, .products = products});
  const auto rows = digits(model.spec(), 32, 4800).shuffle(3);
  trainer.train(3, rows);
  const Pipeline tests = Pipeline(open_rows("digits:test[:1000]"))
                             .map(model.spec().model->transforms[0].transforms)
                             .batch(100);
  return model.eval(tests, parse_metrics("accuracy")).metrics[0].values[0];
}

TEST(ReducedPrecision, LearnsDigitsNearlyAsWell) {
  const double f32 = accuracy_with(DType::kF32, "");
  const double bf16 = accuracy_with(DType::kBF16, "");
  const double f16 = accuracy_with(DType::kF16, "dynamic");
  fmt::print("accuracy after 450 steps: f32 {}, bf16 {}, f16 {}\n", f32, bf16, f16);
  EXPECT_GT(f32, 0.88);
  EXPECT_GT(bf16, f32 - 0.04);
  EXPECT_GT(f16, f32 - 0.04);
}

TEST(ReducedPrecision, RoundsWhatItMultipliesAndKeepsParametersInF32) {
  Model model = lenet();
  Trainer trainer(model, {.products = DType::kBF16});
  Losses rounded, exact;
  const std::vector<Callback*> first = {&rounded}, second = {&exact};
  trainer.train(1, digits(model.spec(), 8, 80), first);
  Model other = lenet();
  Trainer(other, {}).train(1, digits(other.spec(), 8, 80), second);
  for (size_t i = 0; i < exact.all.size(); ++i) {
    EXPECT_NE(rounded.all[i], exact.all[i]) << i;
    EXPECT_NEAR(rounded.all[i], exact.all[i], 0.05) << i;
  }
  // A master weight has bits that bf16 has not.
  const auto weights = model.weight("fc1.weight").data<float>();
  EXPECT_TRUE(
      std::ranges::any_of(weights, [](float x) { return static_cast<float>(BFloat16(x)) != x; }));
}

TEST(ReducedPrecision, OfF16OverflowsWhereTheScaleIsTooLarge) {
  Model model = lenet();
  Trainer trainer(model, {.loss_scale = "dynamic(init_loss_scale=1e9,scale_factor=16)",
                          .products = DType::kF16});
  Steps steps;
  const std::vector<Callback*> callbacks = {&steps};
  trainer.train(1, digits(model.spec(), 8, 80), callbacks);
  EXPECT_TRUE(steps.all.front().is_dropped);
  EXPECT_FALSE(steps.all.back().is_dropped);
}

TEST(ReducedPrecision, GivesTheSameLossesOnRanks) {
  const TrainOptions options{.products = DType::kBF16};
  Losses alone;
  Model model = lenet();
  const std::vector<Callback*> callbacks = {&alone};
  Trainer(model, options).train(1, digits(model.spec(), 8, 80), callbacks);
  run_world({.ranks = 2}, [&](Communicator& world) {
    Model part = Model::open({.model = "lenet5", .seed = 5}, {.threads = 1, .world = &world});
    Losses together;
    const std::vector<Callback*> each = {&together};
    Trainer(part, options).train(1, digits(part.spec(), 8, 80), each);
    for (size_t i = 0; i < alone.all.size(); ++i)
      EXPECT_NEAR(together.all[i], alone.all[i], 2e-3 * alone.all[i]) << i;
  });
}

}  // namespace
}  // namespace tessera::testing
