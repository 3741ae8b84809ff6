// What a training says when it cannot go on.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tessera/model/train/model_checkpoint.h"
#include "tests/support/error_of.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch_folder.h"
#include "tests/training/digits_run.h"
#include "tests/training/on_ranks.h"

namespace tessera::testing {
namespace {

void expect_says(const std::string& message, std::initializer_list<const char*> words) {
  for (const char* word : words)
    EXPECT_NE(message.find(word), std::string::npos) << word << "\n" << message;
}

TEST(BadTraining, ALossThatIsNoNumberStopsBeforeTheStepAndNamesTheNode) {
  Model model = lenet();
  Tensor weight = model.weight("fc2.weight").clone();
  weight.mutable_data<float>()[7] = std::numeric_limits<float>::infinity();
  model.set_weight("fc2.weight", weight);
  Trainer trainer(model, {});
  const Tensor before = model.weight("fc1.weight").clone();
  const std::string message = error_of([&] { trainer.train(1, digits(model.spec(), 8, 80), {}); });
  expect_says(message, {"step 1", "the parameter 'fc2.weight'", "[0,7]"});
  EXPECT_TRUE(std::ranges::equal(before.bytes(), model.weight("fc1.weight").bytes()));
}

TEST(BadTraining, ARateThatIsTooLargeIsToldByTheStepAtWhichTheNumbersEnd) {
  Model model = lenet();
  Trainer trainer(model, {.optimizer = "sgd(learning_rate=1e20)"});
  const std::string message = error_of([&] { trainer.train(1, digits(model.spec(), 8, 80), {}); });
  expect_says(message, {"the loss of step", "the first value that is no finite number is",
                        "a smaller learning rate"});
  for (const float value : model.weight("fc3.bias").data<float>())
    EXPECT_TRUE(std::isfinite(value));
}

TEST(BadTraining, NoRowsAreRefused) {
  Model model = lenet();
  Trainer trainer(model, {});
  expect_says(error_of([&] { trainer.train(1, digits(model.spec(), 8, 0), {}); }),
              {"nothing to train with", "of which no batch is read"});
  expect_says(error_of([&] { trainer.train(1, digits(model.spec(), 8, 5).batch(8, true), {}); }),
              {"nothing to train with", "12000 rows", "without drop_remainder"});
  expect_says(error_of([&] { trainer.train(0, digits(model.spec(), 8, 80), {}); }),
              {"1 epoch or more"});
}

TEST(BadTraining, ALabelOutsideTheClassesIsNamed) {
  Model model = Model::open({.model = "lenet5(num_classes=4)"}, {.threads = 1});
  Trainer trainer(model, {});
  expect_says(
      error_of([&] { trainer.train(1, digits(model.spec(), 8, 80), {}); }),
      {"label 6 of row 1 of digits:train is not one of the 4 classes of the network, 0 to 3"});
}

TEST(BadTraining, ALabelOfAShuffledRowIsNamedByItsPlaceInTheDataSetOnManyRanks) {
  const Pipeline rows = digits(lenet().spec(), 8, 80).shuffle(3);
  const std::string message = error_of([&] {
    run_world({.ranks = 2}, [&](Communicator& world) {
      Model model =
          Model::open({.model = "lenet5(num_classes=9)"}, {.threads = 1, .world = &world});
      Trainer(model, {.micro_batches = 2}).train(1, rows, {});
    });
  });
  const size_t of = message.find("of row ");
  ASSERT_NE(of, std::string::npos) << message;
  const auto row = std::stoll(message.substr(of + 7));
  EXPECT_EQ(rows.source().row(row).label, 9) << message;
}

TEST(BadTraining, ALossThatIsNoNumberIsExplainedOnManyRanksToo) {
  const auto message = [](int ranks, const std::string& mesh, TrainOptions options) {
    return error_of([&] {
      on_ranks(ranks, [&](Communicator* world) {
        RunOptions run{.threads = 1, .world = world};
        lay_out(run.place, mesh, kTensorParallel);
        Model model = Model::open({.model = "lenet5", .seed = 5}, run);
        Trainer(model, options).train(1, digits(model.spec(), 8, 80).shuffle(2), {});
      });
    });
  };
  const TrainOptions options{.optimizer = "sgd(learning_rate=1e30)"};
  const std::string alone = message(1, "", options);
  expect_says(alone, {"the loss of step 2", "the first value that is no finite number is"});
  EXPECT_EQ(message(2, "", options), "rank 0: " + alone);
  EXPECT_EQ(message(4, "{dp=2,tp=2}", options), "rank 0: " + alone);
}

TEST(BadTraining, BatchesThatAreFewerThanAStepWantsAreRefused) {
  Model model = lenet();
  Trainer trainer(model, {.accumulate = 11});
  expect_says(error_of([&] { trainer.train(1, digits(model.spec(), 8, 80), {}); }),
              {"1 epochs of 10 batches are no step, which the gradients of 11 batches make"});
  EXPECT_EQ(trainer.train(2, digits(model.spec(), 8, 80), {}).steps, 20);
  EXPECT_EQ(trainer.global_step(), 1);
}

TEST(BadTraining, RecipesThatMeanNothingAreRefusedBeforeAnythingRuns) {
  Model model = lenet();
  const auto said = [&](const TrainOptions& options) {
    return error_of([&] { const Trainer trainer(model, options); });
  };
  expect_says(said({.optimizer = "adm"}), {"there is no optimizer 'adm'", "adam"});
  expect_says(said({.optimizer = "adam(beta1=1.5)"}), {"beta1 is 1.5"});
  expect_says(said({.optimizer = "momentum(learning_rate=-1)"}), {"learning rate", "-1"});
  expect_says(said({.optimizer = "momentum(learning_rate=cosin_decay(max_lr=1))"}),
              {"cosin_decay", "cosine_decay"});
  expect_says(said({.groups = {{"fc9.*"}}}), {"fc9.*", "fits"});
  expect_says(said({.groups = {{.pattern = "*", .is_frozen = true}}}), {"no parameter to train"});
  expect_says(said({.loss = "relu"}), {"relu"});
  expect_says(said({.accumulate = 0}), {"0 batches"});
}

TEST(BadTraining, WhatOnlyPredictingKnowsIsRefusedByName) {
  Model model = Model::open({.model = "lenet5"}, {.threads = 1, .precision = Precision::kBf16});
  expect_says(error_of([&] { const Trainer trainer(model, {}); }),
              {"bf16", "precision", "TrainOptions::products"});
}

TEST(BadTraining, AFolderForCheckpointsThatCannotBeMadeEndsItBeforeTheFirstStep) {
  const ScratchFolder folder("training");
  const std::filesystem::path file = folder.path() / "file";
  std::ofstream(file) << "x";
  Model model = lenet();
  Trainer trainer(model, {});
  ModelCheckpoint saver("a", file / "below");
  const std::vector<Callback*> callbacks = {&saver};
  expect_says(error_of([&] { trainer.train(1, digits(model.spec(), 8, 80), callbacks); }),
              {"cannot be made"});
}

TEST(BadTraining, OptionsThatSayNothingAloneAreRefusedByTheProgram) {
  const auto said = [](std::vector<std::string> more) {
    std::vector<std::string> all{"train",   "lenet5", "--data", "digits:train",
                                 "--limit", "32",     "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run_tessera(all);
    EXPECT_EQ(outcome.status, 2) << outcome.out << outcome.err;
    return outcome.err;
  };
  for (const char* option : {"--slices", "--async-save", "--survive-save-errors"})
    expect_says(said({option}), {fmt::format("{} says nothing without --save", option).c_str()});
  expect_says(said({"--save-steps", "5"}), {"--save-steps says nothing without --save"});
  expect_says(said({"--eval-every", "2"}), {"--eval-every says nothing without --eval-data"});
  expect_says(said({"--keep", "0"}), {"--keep is 0; wanted 1 or more"});
}

}  // namespace
}  // namespace tessera::testing
