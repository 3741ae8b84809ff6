// What rank_memory_test starts, alone or under mpirun: rank_memory MODEL MESH ROWS THREADS [exact].
// Opens the model without weights, predicts twice, and prints per rank the most memory that its
// process has held: "rank 0 held 123456 bytes".
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tessera/base/text.h"
#include "tessera/model/model.h"

namespace tessera {
namespace {

/// Since the process began.
int64_t most_held() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line))
    if (line.starts_with("VmHWM:")) return std::atoll(line.c_str() + 6) * 1024;
  fail(ErrorCode::kIo, "/proc/self/status has no VmHWM");
}

void predict(Communicator& world, const std::string& name, const std::string& mesh, int64_t rows,
             const RunOptions& options) {
  RunOptions run = options;
  run.world = &world;
  run.place.mesh = parse_mesh(mesh);
  Model model = Model::open({.model = name, .weights = {}}, run);
  Shape shape = model.row_shape();
  shape.insert(0, rows);
  {
    Tensor x(DType::kF32, shape);
    for (float& value : x.mutable_data<float>()) value = 1;
    model.predict(x);
    model.predict(x);
  }
  fmt::print("rank {} held {} bytes\n", world.rank(), most_held());
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  using namespace tessera;
  if (argc < 5) {
    fmt::print(stderr, "usage: rank_memory MODEL MESH ROWS THREADS [exact]\n");
    return 2;
  }
  try {
    RunOptions run;
    run.threads = std::atoi(argv[4]);
    run.deterministic = argc > 5;
    run_world(
        {.backend = is_under_mpirun() ? "mpi" : "single", .ranks = is_under_mpirun() ? 0 : 1},
        [&](Communicator& world) { predict(world, argv[1], argv[2], std::atoll(argv[3]), run); });
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
