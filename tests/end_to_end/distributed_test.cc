// Models on several ranks, as their users run them: threads, and processes of mpirun where it is
// there.
#include <fstream>

#include "tests/end_to_end/program_fixture.h"
#include "tests/support/npy.h"

namespace tessera::testing {
namespace {

constexpr const char* kServing =
    "ckpt/lenet/serving_lenet_ascend_v111_offical_cv_mnist_bs32_acc98.ckpt";

/// conv2's weight and fc2's are cut along what they sum.
constexpr const char* kTensorParallel = R"(
conv1.weight [tp, -, -, -]
conv2.weight [-, tp, -, -]
fc1.weight [tp, -]
fc2.weight [-, tp]
fc3.weight [tp, -]
)";

bool has_mpirun() {
  return run_program({"sh", "-c", "command -v mpirun"}).status == 0;
}

class Distributed : public ProgramTest {
 protected:
  static std::string example() {
    return (source_dir() / "examples/digits/lenet5_digits.ckpt").string();
  }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = in_folder(name);
    std::ofstream(path) << text;
    return path;
  }
  std::string layouts(const std::string& mesh) const {
    return write("layouts_" + mesh + ".txt", "mesh {" + mesh + "}\n" + kTensorParallel);
  }
  /// The rows of the embedded example that are right, of 3,000: MindSpore says 2948.
  static double digits_right(std::vector<std::string> more) {
    std::vector<std::string> arguments{"eval",   "lenet5",      "--weights", example(),
                                       "--data", "digits:test", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return correct(run_tessera(arguments));
  }
  static double correct(const Outcome& outcome) {
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? number_in(outcome.out, "correct") : -1;
  }
  static Outcome run_mpi(int ranks, std::vector<std::string> arguments) {
    std::vector<std::string> argv{"mpirun", "--allow-run-as-root", "--oversubscribe",
                                  "-n",     std::to_string(ranks), std::getenv("TESSERA_PROGRAM")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_program(argv);
  }
  /// Rows [n,1,32,32] of the network's own range.
  std::string write_rows(int64_t rows) const {
    const std::string path = in_folder("x.npy");
    const std::string script =
        "import struct,math\nn=" + std::to_string(rows) +
        "*1024\nh=\"{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) +
        ",1,32,32), }\"\nh+=' '*(63-(10+len(h))%64)+'\\n'\nf=open('" + path +
        "','wb')\nf.write(b'\\x93NUMPY\\x01\\x00'+struct.pack('<H',len(h))+h.encode())\n"
        "f.write(struct.pack('<%df'%n,*[math.sin(0.37*i) for i in range(n)]))\n";
    EXPECT_EQ(run_program({"python3", "-c", script}).status, 0);
    return path;
  }
};

TEST_F(Distributed, DataParallelKeepsTheAccuracyOfTheEmbeddedExample) {
  for (const char* ranks : {"1", "2", "3", "4"}) EXPECT_EQ(digits_right({"--ranks", ranks}), 2948);
  // 3,000 rows by 32: the last batch has 24. By 999: it has 3, fewer than ranks.
  EXPECT_EQ(digits_right({"--ranks", "4", "--batch", "999"}), 2948);
}

TEST_F(Distributed, TensorParallelKeepsTheAccuracyOfTheEmbeddedExample) {
  for (const char* mesh : {"tp=2", "tp=3", "dp=2,tp=2"})
    EXPECT_EQ(digits_right({"--layouts", layouts(mesh)}), 2948) << mesh;
  EXPECT_EQ(digits_right({"--layouts", layouts("tp=3"), "--deterministic"}), 2948);
}

TEST_F(Distributed, TheAscendCheckpointGives9867OnThreadsAndUnderMpirun) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::vector<std::string> eval = {"eval",           "lenet5", "--weights",
                                         shared(kServing), "--data", "mnist:" + shared("mnist"),
                                         "--json"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = eval;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  for (const char* ranks : {"1", "2", "3", "4"})
    EXPECT_EQ(correct(run_tessera(with({"--ranks", ranks}))), 9867) << ranks;
  EXPECT_EQ(correct(run_tessera(with({"--layouts", layouts("tp=2")}))), 9867);
  EXPECT_EQ(correct(run_tessera(with({"--layouts", layouts("dp=2,tp=2")}))), 9867);
  if (!has_mpirun()) GTEST_SKIP() << "mpirun is not installed";
  for (const int ranks : {2, 3}) EXPECT_EQ(correct(run_mpi(ranks, eval)), 9867) << ranks;
  EXPECT_EQ(correct(run_mpi(4, with({"--layouts", layouts("dp=2,tp=2")}))), 9867);
}

TEST_F(Distributed, SlicesOfFourRanksRunOnThree) {
  const std::string cut =
      write("cut.txt", "mesh {a=4}\nfc*.weight [a, -]\nfc*.bias [a]\n* [...]\n");
  const Outcome sliced =
      run_tessera({"reshard", example(), "--to", cut, "-o", in_folder("slices")});
  ASSERT_EQ(sliced.status, 0) << sliced.err;
  const std::vector<std::string> eval = {"eval",   "lenet5", "--weights", in_folder("slices"),
                                         "--from", cut,      "--data",    "digits:test",
                                         "--json"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = eval;
    all.insert(all.end(), more.begin(), more.end());
    return run_tessera(all);
  };
  EXPECT_EQ(correct(with({"--ranks", "3"})), 2948);
  EXPECT_EQ(correct(with({"--layouts", layouts("tp=3")})), 2948);
  EXPECT_EQ(correct(with({})), 2948);
}

TEST_F(Distributed, ArraysGoInAndComeOutGatheredOrPerRank) {
  const std::string x = write_rows(5);
  const auto predict = [&](std::vector<std::string> more) {
    std::vector<std::string> all{"predict", "lenet5", "--weights", example(),
                                 "--input", x,        "--json"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run_tessera(all);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
  };
  predict({"--output", in_folder("alone.npy")});
  predict({"--output", in_folder("dp.npy"), "--ranks", "3", "--repeat", "3"});
  predict({"--output", in_folder("parts.npy"), "--ranks", "3", "--per-rank"});
  const Tensor alone = read_npy(in_folder("alone.npy"));
  EXPECT_EQ(alone.shape(), (Shape{5, 10}));
  const Tensor dp = read_npy(in_folder("dp.npy"));
  ASSERT_EQ(dp.shape(), alone.shape());
  int64_t rows = 0;
  for (int rank = 0; rank < 3; ++rank) {
    const Tensor part = read_npy(in_folder("parts.rank_" + std::to_string(rank) + ".npy"));
    const auto from = alone.data<float>().subspan(static_cast<size_t>(rows) * 10);
    for (size_t i = 0; i < part.data<float>().size(); ++i)
      EXPECT_NEAR(part.data<float>()[i], from[i], 1e-4);
    rows += part.shape()[0];
  }
  EXPECT_EQ(rows, 5);
  for (size_t i = 0; i < 50; ++i) EXPECT_NEAR(dp.data<float>()[i], alone.data<float>()[i], 1e-4);
}

TEST_F(Distributed, PipelineStagesPredictWhatOneRankDoes) {
  const std::string x = write_rows(5);
  const auto predict = [&](const std::string& file, std::vector<std::string> more) {
    std::vector<std::string> all{"predict", "lenet5",   "--weights",     example(), "--input",
                                 x,         "--output", in_folder(file), "--json"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run_tessera(all);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? number_in(outcome.out, "ranks") : 0;
  };
  EXPECT_EQ(predict("alone.npy", {}), 1);
  const Tensor alone = read_npy(in_folder("alone.npy"));
  const std::vector<std::pair<int, std::vector<std::string>>> ways = {
      {2, {"--stages", "conv*;fc*"}},
      {3, {"--stages", "conv*; fc1, fc2; fc3"}},
      {4, {"--stages", "conv1;fc*", "--ranks", "4"}},
      {4, {"--stages", "conv*;fc*", "--mesh", "tp=2", "--backend", "local"}},
      {4, {"--stages", "conv*;fc*", "--layouts", layouts("tp=2")}},
      {6, {"--stages", "conv*;fc*", "--layouts", layouts("tp=3"), "--deterministic"}}};
  for (const auto& [ranks, way] : ways) {
    EXPECT_EQ(predict("staged.npy", way), ranks) << way[1];
    const Tensor staged = read_npy(in_folder("staged.npy"));
    ASSERT_EQ(staged.shape(), alone.shape());
    for (size_t i = 0; i < 50; ++i)
      EXPECT_NEAR(staged.data<float>()[i], alone.data<float>()[i], 1e-4) << way[1];
  }
  EXPECT_EQ(digits_right({"--stages", "conv*;fc*", "--mesh", "dp=2"}), 2948);
}

TEST_F(Distributed, ExplainShowsEachStageWhereItsLayersAre) {
  const Outcome text = run_tessera({"explain", "lenet5", "--stages", "conv*;fc*"});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("on 2 ranks"), std::string::npos) << text.out;
  const Outcome json =
      run_tessera({"explain", "lenet5", "--stages", "conv*;fc*", "--mesh", "tp=2", "--json"});
  ASSERT_EQ(json.status, 0) << json.err;
  const auto layout_of = [&](const std::string& name) {
    const std::string key = "\"layout\": \"";
    const size_t at = json.out.find(key, json.out.find("\"" + name + "\"")) + key.size();
    return json.out.substr(at, json.out.find('"', at) - at);
  };
  EXPECT_EQ(layout_of("conv1.weight"), "{tp=2} [-, -, -, -]");
  EXPECT_EQ(layout_of("fc1.weight"), "{tp=2 @ 2 3} [-, -]");
}

TEST_F(Distributed, DeterministicOutputsHaveTheSameBitsOnAnyRanks) {
  const std::string x = write_rows(7);
  std::string wanted;
  const std::vector<std::vector<std::string>> ways = {{},
                                                      {"--ranks", "2"},
                                                      {"--ranks", "3"},
                                                      {"--layouts", layouts("tp=3")},
                                                      {"--layouts", layouts("dp=2,tp=2")},
                                                      {"--threads", "1"}};
  for (const std::vector<std::string>& way : ways) {
    std::vector<std::string> all{"predict",  "lenet5",           "--weights",
                                 example(),  "--input",          x,
                                 "--output", in_folder("y.npy"), "--deterministic"};
    all.insert(all.end(), way.begin(), way.end());
    const Outcome outcome = run_tessera(all);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const Tensor y = read_npy(in_folder("y.npy"));
    const std::string bytes(reinterpret_cast<const char*>(y.bytes().data()), y.bytes().size());
    if (wanted.empty()) wanted = bytes;
    EXPECT_EQ(bytes, wanted) << (way.empty() ? "" : way.back());
  }
}

TEST_F(Distributed, TheTutorialRunsOnEveryNumberOfRanks) {
  const auto script = source_dir() / "examples/distributed_inference/run.sh";
  const auto program =
      std::filesystem::path(std::getenv("TESSERA_PROGRAM")).parent_path() / "distributed_inference";
  const Outcome outcome = run_program({script.string(), program.string(), in_folder("tutorial")});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const auto count = [&](std::string_view text) {
    size_t found = 0;
    for (size_t at = outcome.out.find(text); at != std::string::npos;
         at = outcome.out.find(text, at + 1))
      ++found;
    return found;
  };
  const size_t ways = has_mpirun() ? 2 : 1;
  EXPECT_EQ(count("training success"), ways) << outcome.out;
  EXPECT_EQ(count("inference success"), 5 * ways) << outcome.out;
  EXPECT_EQ(count("largest difference between the layouts 0\n"), 5 * ways) << outcome.out;
}

TEST_F(Distributed, ASearchedPlacementFitsItsMemoryAndKeepsTheAccuracy) {
  EXPECT_EQ(digits_right({"--ranks", "3", "--auto-parallel"}), 2948);
  const auto peak = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"explain", "lenet5", "--batch", "32", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? number_in(outcome.out, "peak") : -1;
  };
  const double free = peak({"--ranks", "2", "--auto-parallel"});
  const auto limit = std::to_string(static_cast<int64_t>(free * 0.85));
  EXPECT_LE(peak({"--ranks", "2", "--memory-limit", limit}), free * 0.85);
  EXPECT_EQ(digits_right({"--ranks", "2", "--memory-limit", limit}), 2948);
  const Outcome outcome =
      run_tessera({"explain", "lenet5", "--ranks", "2", "--memory-limit", "9KiB"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.err.find("fits 9.0 KiB per rank: the smallest of"), std::string::npos)
      << outcome.err;
}

TEST_F(Distributed, WhatDoesNotFitIsSaidBeforeAnythingRuns) {
  const auto error = [&](std::vector<std::string> more) {
    std::vector<std::string> all{"eval",   "lenet5",      "--weights", example(),
                                 "--data", "digits:test", "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run_tessera(all);
    EXPECT_NE(outcome.status, 0);
    return outcome.err;
  };
  const auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(error({"--ranks", "2", "--mesh", "dp=2,tp=4"}), "has 8 ranks, but 2 run");
  has(error({"--stages", "conv*;fc*", "--mesh", "dp=2", "--ranks", "3"}),
      "mesh {dp=2} in 2 stages has 4 ranks, but 3 run");
  has(error({"--stages", "conv*;fc*", "--ranks", "3"}),
      "mesh {dp=1} in 2 stages has 2 ranks, but 3 run");
  has(error({"--stages", "conv*;fc9"}), "'fc9' of stage 1 matches no scope");
  has(error({"--stages", "fc*;conv*"}), "of stage 0 reads what 'conv2' of stage 1 computes");
  has(error({"--stages", "conv*;"}), "wanted patterns of layers");
  has(error({"--layouts", write("a.txt", "mesh {tp=2}\nfc9.weight [tp, -]\n")}),
      "name 'fc9.weight', which the network has not");
  has(error({"--layouts", write("b.txt", "mesh {tp=2}\nfc1.weight [tp]\n")}), "fc1.weight");
  has(error({"--from", write("c.txt", "mesh {tp=2}\nfc1.weight [tp, -]\n")}), "fc1.weight");
}

}  // namespace
}  // namespace tessera::testing
