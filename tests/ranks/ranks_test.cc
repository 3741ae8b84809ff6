// Ranks that mpirun starts: the suite, and that no fault of a rank leaves the others waiting.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "tessera/base/text.h"
#include "tessera/comm/communicator.h"
#include "tests/support/run_program.h"

namespace tessera {
namespace {

using testing::Outcome;

struct Job {
  Outcome outcome;
  double seconds = 0;
};

bool has_mpirun() {
  return testing::run_program({"mpirun", "--version"}).status == 0;
}

Job mpirun(int ranks, const std::vector<std::string>& scenario,
           const std::vector<std::string>& options = {}) {
  std::vector<std::string> argv{"mpirun", "--allow-run-as-root", "--oversubscribe", "-n",
                                std::to_string(ranks)};
  argv.insert(argv.end(), options.begin(), options.end());
  const char* tessera = std::getenv("TESSERA_PROGRAM");
  const std::filesystem::path built = tessera != nullptr ? tessera : "build/release/tessera";
  argv.push_back(built.parent_path() / "rank_program");
  argv.insert(argv.end(), scenario.begin(), scenario.end());
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = testing::run_program(argv);
  return {outcome, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
}

int count_of(std::string_view word, std::string_view text) {
  int count = 0;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
    ++count;
  return count;
}

class Ranks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_mpi()) GTEST_SKIP() << "this build has no MPI";
    if (!has_mpirun()) GTEST_SKIP() << "there is no mpirun here";
  }
};

class RanksSuite : public Ranks, public ::testing::WithParamInterface<int> {};

TEST_P(RanksSuite, Holds) {
  const Job run = mpirun(GetParam(), {"suite"});
  EXPECT_EQ(run.outcome.status, 0) << run.outcome.err;
  EXPECT_NE(run.outcome.out.find(fmt::format(" cases hold on {} ranks", GetParam())),
            std::string::npos)
      << run.outcome.out;
}

INSTANTIATE_TEST_SUITE_P(Mpirun, RanksSuite, ::testing::Values(1, 2, 3, 4),
                         [](const auto& instance) { return fmt::format("On{}", instance.param); });

TEST_F(Ranks, SharedMemoryAloneCarriesEverythingOnOneMachine) {
  const Job run = mpirun(2, {"suite"}, {"--mca", "btl", "self,vader", "--mca", "pml", "ob1"});
  EXPECT_EQ(run.outcome.status, 0) << run.outcome.err;
}

TEST_F(Ranks, WithoutMpirunMpiIsOneRank) {
  const char* tessera = std::getenv("TESSERA_PROGRAM");
  const std::filesystem::path built = tessera != nullptr ? tessera : "build/release/tessera";
  const std::string program = built.parent_path() / "rank_program";
  EXPECT_EQ(testing::run_program({program, "suite"}).out.substr(2), " cases hold on 1 ranks\n");
  const Outcome wrong = testing::run_program({program, "three_ranks"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_EQ(wrong.err, "thrown: 3 ranks are asked for, but mpirun has started 1: mpirun -n 3 …\n");
}

TEST_F(Ranks, ARankMayComputeForLong) {
  const Job run = mpirun(3, {"compute"});
  EXPECT_EQ(run.outcome.status, 0) << run.outcome.err;
}

struct Fault {
  std::string scenario;
  int ranks;
  double timeout;
  std::string message;  // once on standard error

  friend void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.scenario; }
};

class RanksFaults : public Ranks, public ::testing::WithParamInterface<Fault> {};

/// What the job may take beyond its timeout; and a machine that does much else at the same time.
constexpr double kGrace = 5, kBusyMachine = 15;

TEST_P(RanksFaults, EndTheJobWithOneMessage) {
  const Fault& fault = GetParam();
  const Job run = mpirun(fault.ranks, {fault.scenario, fmt::format("{}", fault.timeout)});
  EXPECT_NE(run.outcome.status, 0);
  EXPECT_EQ(count_of(fault.message, run.outcome.err), 1) << run.outcome.err;
  const bool waits = fault.scenario.starts_with("stop");
  EXPECT_LT(run.seconds, (waits ? fault.timeout : 0) + kGrace + kBusyMachine);
  RecordProperty("seconds", fmt::format("{:.2f}", run.seconds));
}

INSTANTIATE_TEST_SUITE_P(
    Mpirun, RanksFaults,
    ::testing::Values(
        Fault{"throw", 2, 60, "rank 1: there is no file 'x'\n"},
        Fault{"throw", 4, 60, "rank 3: there is no file 'x'\n"},
        Fault{"all_throw", 3, 60, ": there is no file 'x'\n"},
        Fault{"abort", 3, 60, "rank 2: enough\n"},
        Fault{"disagree", 3, 60,
              "the ranks disagree on the size: rank 0 calls all_reduce(f32 x 7, sum), rank 2 "
              "calls all_reduce(f32 x 8, sum)\n"},
        Fault{"three_ranks", 2, 60, "3 ranks are asked for, but mpirun has started 2"},
        Fault{"end", 3, 60, "rank 2 has ended while rank "},
        Fault{"end_unseen", 3, 60, "rank 2 has ended while rank 0 waits for rank 2 in receive("},
        Fault{"kill", 3, 60, "signal 9"}, Fault{"stop", 3, 1.5, "waits for rank 2 in "},
        Fault{"stop_before_split", 3, 1.5,
              "rank 0 waits for the others of ranks 0, 2 in split, for 1.5 s (the timeout)\n"},
        Fault{"stop_at_end", 2, 1.5, "rank 0 waits for rank 1 in the end of the job, for 1."}),
    [](const auto& instance) {
      return fmt::format("{}On{}", instance.param.scenario, instance.param.ranks);
    });

}  // namespace
}  // namespace tessera
