// What a training leaves, read by MindSpore itself. TESSERA_MINDSPORE_PYTHON names a Python that
// has it; without it python3 is asked, and the tests are skipped, and counted, where it has none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tessera/model/transform_checkpoints.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

std::string python() {
  const char* named = std::getenv("TESSERA_MINDSPORE_PYTHON");
  return named != nullptr ? named : "python3";
}

bool has_mindspore() {
  static const bool has =
      run_program({"bash", "-c", "'" + python() + "' -c 'import mindspore' 2>/dev/null"}).status ==
      0;
  return has;
}

#define TESSERA_NEEDS_MINDSPORE() \
  if (!has_mindspore()) GTEST_SKIP() << "needs a Python with MindSpore"

void expect_equal(std::vector<std::string> arguments) {
  const auto script = source_dir() / "tests/oracles/reads_training.py";
  arguments.insert(arguments.begin(), {python(), script.string()});
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "equal\n");
}

/// Ten steps of lenet5 on digits, the same for any ranks.
void train(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"train", "lenet5", "--data", "digits:train",   "--limit",
                                        "320",   "--seed", "4",      "--deterministic"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = run_tessera(arguments);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
}

TEST(MindSporeReads, ACheckpointIntoItsNetworkAndItsTrainingCell) {
  TESSERA_NEEDS_MINDSPORE();
  const ScratchFolder folder("mindspore_reads");
  train({"--save", (folder.path() / "whole").string()});
  expect_equal({"whole", (folder.path() / "whole/lenet5-1_10.ckpt").string()});
}

/// Ways to cut what is trained, by name.
std::map<std::string, std::vector<std::string>> ways_to_cut(const ScratchFolder& folder) {
  const auto cut = folder.path() / "cut.txt";
  std::ofstream(cut)
      << "mesh {dp=2,tp=2}\nfc1.weight  [tp, -]\nfc1.bias  [tp]\nfc2.weight  [-, tp]\n";
  return {{"cut", {"--layouts", cut.string()}},
          {"states", {"--layouts", cut.string(), "--shard-optimizer"}},
          {"parameters", {"--layouts", cut.string(), "--shard-parameters"}},
          {"rows", {"--ranks", "4", "--shard-parameters"}},
          {"searched", {"--ranks", "4", "--auto-parallel"}}};
}

void train_slices(std::vector<std::string> way, const std::filesystem::path& to) {
  way.insert(way.end(), {"--save", to.string(), "--slices"});
  train(way);
}

TEST(MindSporeReads, SlicesAndTheirStrategyAsWhatOneRankTrained) {
  TESSERA_NEEDS_MINDSPORE();
  const ScratchFolder folder("mindspore_reads");
  train({"--save", (folder.path() / "whole").string()});
  for (const auto& [name, way] : ways_to_cut(folder)) {
    SCOPED_TRACE(name);
    train_slices(way, folder.path() / name);
    expect_equal({"slices", (folder.path() / name).string(),
                  (folder.path() / "whole/lenet5-1_10.ckpt").string()});
  }
}

TEST(Transformed, SlicesAreWhatOneRankTrained) {
  const ScratchFolder folder("transformed");
  train({"--save", (folder.path() / "whole").string()});
  for (const auto& [name, way] : ways_to_cut(folder)) {
    SCOPED_TRACE(name);
    train_slices(way, folder.path() / name);
    const auto from = folder.path() / (name + "_from");
    for (int rank = 0; rank < 4; ++rank) {
      const auto slices = folder.path() / name / fmt::format("rank_{}_ckpt", rank);
      std::filesystem::create_directories(from);
      std::filesystem::rename(slices, from / fmt::format("rank_{}", rank));
    }
    const auto to = folder.path() / (name + "_to");
    transform_checkpoints(from, to, "whole",
                          {.src_strategy_file = folder.path() / name / "strategy.ckpt"});
    const Outcome outcome = run_tessera({"diff", (to / "rank_0/whole0.ckpt").string(),
                                         (folder.path() / "whole/lenet5-1_10.ckpt").string()});
    EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  }
}

// Of several ranks each: of stages of one rank MindSpore's file can say nothing.
TEST(MindSporeReads, SlicesOfPipelineStagesAsWhatOneRankTrained) {
  TESSERA_NEEDS_MINDSPORE();
  const ScratchFolder folder("mindspore_reads");
  const auto cut = folder.path() / "cut.txt";
  std::ofstream(cut) << "mesh {tp=2}\nfc1.weight  [tp, -]\nfc1.bias  [tp]\nfc2.weight  [-, tp]\n"
                        "conv2.weight  [tp, -, -, -]\n";
  train({"--micro-batches", "4", "--save", (folder.path() / "whole").string()});
  train({"--micro-batches", "4", "--stages", "conv*;fc*", "--layouts", cut.string(), "--save",
         (folder.path() / "cut").string(), "--slices"});
  expect_equal({"slices", (folder.path() / "cut").string(),
                (folder.path() / "whole/lenet5-1_10.ckpt").string()});
}

}  // namespace
}  // namespace tessera::testing
