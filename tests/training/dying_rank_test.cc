// Training on ranks of which one dies: all stop, the last checkpoint is complete, and going on from
// it gives the numbers of a run in which none died. And the same training in processes of mpirun.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tessera/comm/communicator.h"
#include "tessera/model/train/model_checkpoint.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch_folder.h"
#include "tests/training/digits_run.h"

namespace tessera::testing {
namespace {

const std::string kRun =
    "\"$TESSERA_PROGRAM\" train lenet5 --data digits:train --limit 480 --seed 2 --threads 1 "
    "--quiet "
    "--deterministic ";
const std::string kMpirun = "mpirun --allow-run-as-root --oversubscribe -n 2 ";
const std::string kStages = "--stages 'conv*;fc*' --micro-batches 4 ";

void expect_success(const std::string& command) {
  const Outcome outcome = shell(command);
  EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome.out << outcome.err;
}

bool has_mpirun() {
  return has_mpi() && shell("command -v mpirun").status == 0;
}

TEST(Mpirun, TrainsAsOneProcessDoes) {
  if (!has_mpirun()) GTEST_SKIP() << "mpirun is not installed";
  const ScratchFolder folder("mpirun");
  const std::string at = folder.path().string();
  for (const std::string& ranks : {std::string("--batch 16 "), "--batch 32 " + kStages}) {
    const std::string name = ranks.find("stages") == std::string::npos ? "data" : "stages";
    const std::string alone = name == "data" ? "--batch 16 " : "--batch 32 --micro-batches 4 ";
    expect_success(kRun + alone + "--save " + at + "/alone_" + name);
    expect_success(kMpirun + kRun + ranks + "--save " + at + "/" + name);
    expect_success(
        fmt::format("\"$TESSERA_PROGRAM\" diff {0}/alone_{1}/*.ckpt {0}/{1}/*.ckpt", at, name));
  }
}

/// The last line of what a command prints.
std::string last_line_of(const std::string& command) {
  const Outcome outcome = shell(command + " | tail -1");
  return outcome.out.substr(0, outcome.out.find('\n'));
}

/// Runs training in two processes; when `file` is there, kills one of them: `which` is "head" or
/// "tail". Returns the job's exit status and how many seconds it ran after that.
std::pair<int, double> kill_one(const std::string& options, const std::string& file,
                                const std::string& which) {
  const Outcome outcome = shell(fmt::format(
      "{} {} >/dev/null 2>&1 & job=$!; "
      "for i in $(seq 1200); do [ -e '{}' ] || ! kill -0 $job && break; sleep 0.05; done; "
      "kill -KILL $(ps --ppid $job -o pid= | sort -n | {} -n 1); "
      "date +%s%N; wait $job; status=$?; date +%s%N; exit $status",
      kMpirun, kRun + options, file, which));
  const size_t line = outcome.out.find('\n');
  const double killed = std::stod(outcome.out), ended = std::stod(outcome.out.substr(line + 1));
  return {outcome.status, (ended - killed) * 1e-9};
}

struct Death {
  std::string name;
  std::string options;
  std::string which = "head";  // of the processes
};

void PrintTo(const Death& death, std::ostream* out) {
  *out << death.name;
}

class DyingRank : public ::testing::TestWithParam<Death> {};

INSTANTIATE_TEST_SUITE_P(Of, DyingRank,
                         ::testing::Values(Death{"data_parallel_first", "--batch 16 ", "head"},
                                           Death{"data_parallel_second", "--batch 16 ", "tail"},
                                           Death{"stages_first", "--batch 32 " + kStages, "head"},
                                           Death{"stages_second", "--batch 32 " + kStages, "tail"}),
                         [](const auto& death) { return death.param.name; });

TEST_P(DyingRank, StopsAllAndLeavesACompleteCheckpoint) {
  if (!has_mpirun()) GTEST_SKIP() << "mpirun is not installed";
  const ScratchFolder folder("dying");
  const std::string at = folder.path().string();
  const std::string& options = GetParam().options;
  const std::string run = options + "--epochs 400 --save-steps 1 --keep 2 --save " + at + "/cut";
  const auto [status, seconds] = kill_one(run, at + "/cut/lenet5-1_3.ckpt", GetParam().which);
  EXPECT_NE(status, 0);
  EXPECT_LT(seconds, 60) << "on a busy machine; without a fault it would train on for minutes";
  const std::string last = last_line_of("ls " + at + "/cut/*.ckpt | sort -V");
  ASSERT_FALSE(last.empty());
  for (const std::string& file : {last, last_line_of("ls " + at + "/cut/*.ckpt | sort -Vr")})
    expect_success("\"$TESSERA_PROGRAM\" verify " + file);
  const std::string stem = std::filesystem::path(last).stem().string();
  const int epoch = std::stoi(stem.substr(stem.find('-') + 1));
  const std::string on = fmt::format("--epochs {} --keep 9 ", epoch + 1);
  const std::string rows =
      options.find("stages") == std::string::npos ? "--batch 16 " : "--batch 32 --micro-batches 4 ";
  expect_success(kRun + rows + on + "--save " + at + "/whole");
  expect_success(kMpirun + kRun + options + on + "--resume " + last + " --save " + at + "/on");
  expect_success(fmt::format("\"$TESSERA_PROGRAM\" diff {0}/whole/*.ckpt {0}/on/*.ckpt", at));
}

/// Ends its rank after so many steps.
class Fault final : public Callback {
 public:
  Fault(int64_t step, bool is_mine) : step_(step), is_mine_(is_mine) {}
  void step_end(Trainer&, const StepReport& step) override {
    if (is_mine_ && step.global_step == step_) fail(ErrorCode::kIo, "the rank's disk is gone");
  }

 private:
  int64_t step_;
  bool is_mine_;
};

/// Trains two stages that save slices at every step into `folder`; rank `dies` throws after step 6.
void train_slices(const std::filesystem::path& folder, Rank dies, const ModelSource& resume,
                  int64_t keep) {
  run_world({.ranks = 2}, [&](Communicator& world) {
    RunOptions run{.threads = 1, .deterministic = true, .world = &world};
    run.place.stages = {{"conv*"}, {"fc*"}};
    Model model = Model::open({.model = "lenet5", .seed = 5}, run);
    Trainer trainer(model, {.micro_batches = 2});
    if (!resume.weights.empty()) trainer.restore(resume);
    Fault fault(6, world.rank() == dies);
    ModelCheckpoint saver(
        "s", folder / fmt::format("rank_{}_ckpt", world.rank()),
        {.save_checkpoint_steps = 1, .keep_checkpoint_max = keep, .integrated_save = false});
    // The rank dies after the step, before its slice is saved.
    const std::vector<Callback*> callbacks = {&fault, &saver};
    trainer.train(1, digits(model.spec(), 8, 80), callbacks);
  });
}

TEST(DyingThread, StopsAllAndLeavesTheSlicesOfOneStep) {
  for (const Rank dies : {0, 1}) {
    SCOPED_TRACE(dies);
    const ScratchFolder folder("dying");
    train_slices(folder.path() / "whole", -1, {}, 99);
    EXPECT_THROW(train_slices(folder.path() / "cut", dies, {}, 1), Error);
    // Keeping one file at a time, the last step that all ranks have is there: no rank drops a slice
    // before all have the next.
    std::set<std::string> common = files_in(folder.path() / "cut/rank_0_ckpt");
    const std::set<std::string> other = files_in(folder.path() / "cut/rank_1_ckpt");
    std::erase_if(common, [&](const std::string& name) { return !other.contains(name); });
    ASSERT_EQ(common, std::set<std::string>{"s-1_5.ckpt"});
    std::ofstream(folder.path() / "layouts.txt")
        << "mesh {dp=1}\nstages 2\nstage 0\nconv* [...]\nmoments.conv* [...]\n"
           "stage 1\nfc* [...]\nmoments.fc* [...]\n";
    train_slices(folder.path() / "on", -1,
                 {.weights = {folder.path() / "cut/rank_*_ckpt/s-1_5.ckpt"},
                  .strategy = folder.path() / "layouts.txt"},
                 99);
    for (const char* rank : {"rank_0_ckpt", "rank_1_ckpt"})
      expect_success(
          fmt::format("\"$TESSERA_PROGRAM\" diff {0}/whole/{1}/s-1_10.ckpt "
                      "{0}/on/{1}/s-1_10.ckpt",
                      folder.path().string(), rank));
  }
}

}  // namespace
}  // namespace tessera::testing
