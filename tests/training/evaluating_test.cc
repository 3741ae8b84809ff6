// A model that is evaluated while it is trained, and the log that says so.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "tessera/base/text.h"
#include "tessera/model/train/evaluate_each.h"
#include "tessera/model/train/monitors.h"
#include "tessera/model/train/train_log.h"
#include "tests/support/scratch_folder.h"
#include "tests/training/digits_run.h"

namespace tessera::testing {
namespace {

std::vector<std::vector<std::string>> table_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::vector<std::string>> table;
  for (std::string line; std::getline(file, line);) {
    table.emplace_back();
    for (const std::string_view cell : split(line, ',')) table.back().emplace_back(cell);
  }
  return table;
}

TEST(EvaluateEach, GivesWhatTheModelGivesAfterThatManyEpochs) {
  Model model = Model::open({.model = "lenet5", .seed = 5}, {.threads = 1});
  const Pipeline rows = digits(model.spec(), 8, 80);
  EvaluateEach tests(rows, "accuracy,loss", 2);
  Trainer trainer(model, {.optimizer = "momentum(learning_rate=0.05)"});
  const std::vector<Callback*> callbacks = {&tests};
  trainer.train(3, rows, callbacks);
  ASSERT_EQ(tests.points().size(), 2U);
  EXPECT_EQ(tests.points()[0].epoch, 2);
  EXPECT_EQ(tests.points()[0].global_step, 20);
  EXPECT_EQ(tests.points()[1].epoch, 3);
  for (const EvalPoint& point : tests.points()) {
    Model other = Model::open({.model = "lenet5", .seed = 5}, {.threads = 1});
    Trainer(other, {.optimizer = "momentum(learning_rate=0.05)"}).train(point.epoch, rows);
    const EvalReport found = other.eval(rows, parse_metrics("accuracy,loss"));
    EXPECT_EQ(point.report.correct, found.correct);
    EXPECT_EQ(point.report.metrics[1].values, found.metrics[1].values);
  }
}

TEST(TrainLog, HasWhatWasEvaluatedInTheLastLineOfAnEpoch) {
  const ScratchFolder folder("log");
  Model model = Model::open({.model = "lenet5", .seed = 5}, {.threads = 1});
  const Pipeline rows = digits(model.spec(), 8, 32);
  EvaluateEach tests(rows, "accuracy,loss", 2);
  TrainLog log(folder.path() / "a.csv", folder.path() / "a.html", &tests);
  const std::vector<Callback*> callbacks = {&tests, &log};
  Trainer(model, {}).train(4, rows, callbacks);
  const auto table = table_in(folder.path() / "a.csv");
  ASSERT_EQ(table.size(), 17U);
  ASSERT_EQ(table[0].size(), 12U);
  EXPECT_EQ(table[0][10], "\"eval_accuracy\"");
  for (size_t line = 1; line < table.size(); ++line) {
    ASSERT_EQ(table[line].size(), 12U) << line;
    EXPECT_EQ(table[line][2], fmt::format("{}", line));
    if (line != 8 && line != 16) {
      EXPECT_EQ(table[line][10], "") << line;
      continue;
    }
    const EvalReport& report = tests.points()[line / 8 - 1].report;
    EXPECT_EQ(parse_double(table[line][10]), report.metrics[0].values[0]);
    EXPECT_EQ(parse_double(table[line][11]), report.metrics[1].values[0]);
  }
  std::ifstream page(folder.path() / "a.html");
  const std::string text(std::istreambuf_iterator<char>(page), {});
  EXPECT_NE(text.find("Evaluated: accuracy"), std::string::npos);
}

TEST(TrainLog, ThatCannotBeWrittenEndsTrainingBeforeItsFirstStep) {
  const ScratchFolder folder("log");
  for (const bool is_page : {false, true}) {
    Model model = lenet();
    const std::filesystem::path path = folder.path() / "no/folder/a";
    TrainLog log(is_page ? "" : path, is_page ? path : "");
    const std::vector<Callback*> callbacks = {&log};
    Trainer trainer(model, {});
    EXPECT_THROW(trainer.train(1, digits(model.spec(), 8, 80), callbacks), Error);
    EXPECT_EQ(trainer.global_step(), 0);
  }
}

TEST(LossMonitor, PrintsTheLinesOfMindSporesFit) {
  Model model = lenet();
  const Pipeline rows = digits(model.spec(), 8, 16);
  EvaluateEach tests(rows, "accuracy,loss", 2);
  std::FILE* file = std::tmpfile();
  LossMonitor losses(2, file, &tests);
  Losses found;
  const std::vector<Callback*> callbacks = {&found, &tests, &losses};
  Trainer(model, {}).train(2, rows, callbacks);
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  const auto& metrics = tests.points()[0].report.metrics;
  const double accuracy = metrics[0].values[0];
  EXPECT_EQ(text,
            fmt::format("epoch: 1 step: 2, loss is {}\nepoch: 2 step: 2, loss is {}\n"
                        "Eval result: epoch 2, metrics: {{'accuracy': {}, 'loss': {}}}\n",
                        found.all[1], found.all[3],
                        accuracy == 0 ? "0.0" : fmt::format("{}", accuracy), metrics[1].values[0]));
}

TEST(LossMonitor, WritesAWholeNumberAsPythonDoes) {
  Model model = lenet();
  std::FILE* file = std::tmpfile();
  LossMonitor losses(1, file);
  Trainer trainer(model, {});
  losses.step_end(trainer, {.epoch = 1, .step = 1, .global_step = 1, .loss = 2});
  std::rewind(file);
  std::string text(64, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  EXPECT_EQ(text, "epoch: 1 step: 1, loss is 2.0\n");
}

}  // namespace
}  // namespace tessera::testing
