// The memory that is predicted for a rank against what processes measure: the most that each has
// held, less what it holds for a model of a few bytes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "tessera/model/rank_memory.h"
#include "tessera/model/spread.h"
#include "tests/support/run_program.h"

namespace tessera {
namespace {

using testing::Outcome;

struct Case {
  std::string name;
  std::string model;
  std::string mesh;
  int64_t rows;
  int threads;
  bool deterministic = false;
};

constexpr std::string_view kTiny = "mlp(hidden=[16])";

/// Per rank; empty where the job failed.
std::vector<int64_t> held(const Case& job, std::string_view model, int64_t rows) {
  const int ranks = parse_mesh(job.mesh)->rank_count();
  std::vector<std::string> argv;
  if (ranks > 1)
    argv = {"mpirun", "--allow-run-as-root", "--oversubscribe", "-n", std::to_string(ranks)};
  const char* tessera = std::getenv("TESSERA_PROGRAM");
  const std::filesystem::path built = tessera != nullptr ? tessera : "build/release/tessera";
  argv.push_back(built.parent_path() / "rank_memory");
  for (const std::string& argument :
       {std::string(model), job.mesh, std::to_string(rows), std::to_string(job.threads)})
    argv.push_back(argument);
  if (job.deterministic) argv.emplace_back("exact");
  const Outcome outcome = testing::run_program(argv);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  std::vector<int64_t> bytes(static_cast<size_t>(ranks), 0);
  const std::regex line("rank ([0-9]+) held ([0-9]+) bytes");
  for (std::sregex_iterator it(outcome.out.begin(), outcome.out.end(), line), end; it != end; ++it)
    bytes[std::stoul((*it)[1])] = std::stoll((*it)[2]);
  return bytes;
}

class RankMemoryTest : public ::testing::TestWithParam<Case> {};

TEST_P(RankMemoryTest, IsPredictedWithinATenth) {
  const Case& job = GetParam();
  const MeshPtr mesh = parse_mesh(job.mesh);
  const int ranks = mesh->rank_count();
  if (ranks > 1 && (!has_mpi() || testing::run_program({"mpirun", "--version"}).status != 0))
    GTEST_SKIP() << "there is no MPI here";
  const ModelSpec spec = parse_model(job.model);
  RunOptions run;
  run.threads = job.threads;
  run.deterministic = job.deterministic;
  run.place.mesh = mesh;
  const Shape row = spec.model->row_shape(spec.options);
  const Spread spread(spec, row, run, ranks);
  const std::vector<RankMemory> predicted = predict_memory(spread.placed(job.rows), run);
  ASSERT_EQ(std::ssize(predicted), ranks);
  const std::vector<int64_t> large = held(job, job.model, job.rows);
  const std::vector<int64_t> tiny = held(job, kTiny, 1);
  for (size_t rank = 0; rank < predicted.size(); ++rank) {
    // All rows, which every rank hands in, are the caller's where the rank takes a part of them.
    const int64_t given = job.rows * element_count(row) * 4;
    const int64_t callers = predicted[rank].program.inputs < given ? given : 0;
    const int64_t bytes = large[rank] - tiny[rank] - callers;
    const auto measured = static_cast<double>(bytes);
    const auto peak = static_cast<double>(predicted[rank].peak());
    EXPECT_NEAR(peak / measured, 1, 0.1) << "rank " << rank << ": " << predicted[rank].peak()
                                         << " predicted, " << bytes << " measured";
    RecordProperty("ratio" + std::to_string(rank), std::to_string(peak / measured));
  }
}

// Data that is larger than what allocators and libraries keep for themselves.
INSTANTIATE_TEST_SUITE_P(
    Models, RankMemoryTest,
    ::testing::Values(Case{"Alone", "mlp(hidden=[4096,4096])", "{dp=1}", 32, 1},
                      Case{"AloneFewRows", "mlp(hidden=[4096,4096])", "{dp=1}", 1, 1},
                      Case{"AloneExact", "mlp(hidden=[4096,4096])", "{dp=1}", 32, 1, true},
                      Case{"AloneManyRows", "mlp(hidden=[2048,2048])", "{dp=1}", 4096, 1},
                      Case{"ParallelRows", "mlp(hidden=[2048,2048])", "{dp=1}", 4096, 2},
                      Case{"TensorParallel", "mlp(hidden=[4096,4096])", "{tp=2}", 32, 1},
                      Case{"DataParallel", "mlp(hidden=[4096,4096])", "{dp=2}", 32, 1},
                      Case{"DataParallelManyRows", "mlp(hidden=[2048,2048])", "{dp=2}", 4096, 1},
                      Case{"Transformer", "transformer(layers=2,hidden=512,mlp=2048,seq=64)",
                           "{dp=2}", 32, 1}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace tessera
