// What a training says when it cannot go on.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tessera/model/train/model_checkpoint.h"
#include "tests/support/error_of.h"
#include "tests/support/scratch_folder.h"
#include "tests/training/digits_run.h"

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
              {"nothing to train with", "0 rows"});
  expect_says(error_of([&] { trainer.train(1, digits(model.spec(), 8, 5).batch(8, true), {}); }),
              {"nothing to train with"});
  expect_says(error_of([&] { trainer.train(0, digits(model.spec(), 8, 80), {}); }),
              {"1 epoch or more"});
}

TEST(BadTraining, ALabelOutsideTheClassesIsNamed) {
  Model model = Model::open({.model = "lenet5(num_classes=4)"}, {.threads = 1});
  Trainer trainer(model, {});
  expect_says(error_of([&] { trainer.train(1, digits(model.spec(), 8, 80), {}); }),
              {"label", "is not one of 4 classes"});
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

}  // namespace
}  // namespace tessera::testing
