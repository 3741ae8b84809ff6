// Computing again instead of keeping: less memory, the same bits, alone and on ranks.
#include <gtest/gtest.h>

#include "tessera/comm/communicator.h"
#include "tests/training/digits_run.h"

namespace tessera::testing {
namespace {

struct Made {
  std::vector<double> losses;
  Tensors tensors;
  int64_t activation_bytes = 0;
};

/// ResNet-20 on grey pictures, two steps of 16 rows.
Made train(const TrainOptions& options, Communicator* world = nullptr,
           const std::vector<std::vector<std::string>>& stages = {}) {
  RunOptions run{.threads = 1, .world = world};
  run.place.stages = stages;
  Model model = Model::open({.model = "resnet20", .seed = 5, .row_shape = {1, 32, 32}}, run);
  const Pipeline rows =
      Pipeline(open_rows("digits:train[:32]")).map("resize(32,32) rescale(1/255) to_chw").batch(16);
  Trainer trainer(model, options);
  Losses losses;
  const std::vector<Callback*> callbacks = {&losses};
  Made made;
  made.activation_bytes = trainer.train(1, rows, callbacks).activation_bytes;
  made.losses = losses.all;
  made.tensors = tensors_of(trainer);
  return made;
}

void expect_same_in_less(const Made& kept, const Made& again, std::string_view where,
                         double part = 0.75) {
  EXPECT_EQ(kept.losses, again.losses);
  ASSERT_EQ(kept.tensors.size(), again.tensors.size());
  expect_same_bits(again.tensors, kept.tensors);
  EXPECT_LT(again.activation_bytes, part * static_cast<double>(kept.activation_bytes));
  fmt::print("{}: a step keeps {} MB, and {} MB where layers are computed again\n", where,
             kept.activation_bytes / 1e6, again.activation_bytes / 1e6);
}

const std::vector<std::string> kBlocks = {"layer*.*"};

TEST(Recompute, TrainsToTheSameBitsInLessMemory) {
  expect_same_in_less(train({}), train({.recompute = kBlocks}), "alone");
  const TrainOptions in_bf16{.products = DType::kBF16};
  TrainOptions again = in_bf16;
  again.recompute = kBlocks;
  expect_same_in_less(train(in_bf16), train(again), "in bf16");
}

TEST(Recompute, TrainsToTheSameBitsOnRanks) {
  std::vector<Made> kept(2), again(2);
  run_world({.ranks = 2}, [&](Communicator& world) {
    kept[static_cast<size_t>(world.rank())] = train({}, &world);
    again[static_cast<size_t>(world.rank())] = train({.recompute = kBlocks}, &world);
  });
  for (size_t rank = 0; rank < 2; ++rank)
    expect_same_in_less(kept[rank], again[rank], fmt::format("rank {}", rank));
}

TEST(Recompute, TrainsMicroBatchesToTheSameBitsInLessMemory) {
  expect_same_in_less(train({.micro_batches = 4}),
                      train({.micro_batches = 4, .recompute = kBlocks}), "in micro-batches");
}

/// Patterns that know nothing of stages: the second one is cut by their border.
TEST(Recompute, TrainsStagesToTheSameBitsInLessMemory) {
  const std::vector<std::vector<std::string>> stages = {{"conv1*", "bn1*", "layer1*", "layer2.0*"},
                                                        {"layer2*", "layer3*", "linear"}};
  for (const std::vector<std::string>& patterns : {kBlocks, {"layer1.*", "layer2", "layer3.*"}}) {
    std::vector<Made> kept(2), again(2);
    run_world({.ranks = 2}, [&](Communicator& world) {
      const auto rank = static_cast<size_t>(world.rank());
      kept[rank] = train({.micro_batches = 4}, &world, stages);
      again[rank] = train({.micro_batches = 4, .recompute = patterns}, &world, stages);
    });
    // The first stage keeps two micro-batches; with one, most of what is left are gradients.
    for (size_t rank = 0; rank < 2; ++rank)
      expect_same_in_less(kept[rank], again[rank], fmt::format("stage {}", rank),
                          rank == 0 ? 0.75 : 1.0);
  }
}

TEST(Recompute, OfAScopeThatIsNotThereIsRefusedBeforeTheFirstStep) {
  Model model = Model::open({.model = "lenet5"}, {.threads = 1});
  EXPECT_THROW(Trainer(model, {.recompute = {"layer9.*"}}), Error);
}

}  // namespace
}  // namespace tessera::testing
