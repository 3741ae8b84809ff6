// A model that is evaluated while it is trained, and the log that says so.
#include <gtest/gtest.h>

#include <fstream>

#include "tessera/base/text.h"
#include "tessera/model/train/evaluate_each.h"
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

}  // namespace
}  // namespace tessera::testing
