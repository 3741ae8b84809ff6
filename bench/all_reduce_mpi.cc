// How long processes of mpirun take to add a tensor up: by MPI itself, and by ours over MPI.
//
//   mpirun -n 2 bench_all_reduce_mpi [MIB [ROUNDS]]        default: 64 20
//
// Prints one line of JSON: seconds (best and median) of MPI_Allreduce from one buffer to another
// and in place, and of ours.
#include <fmt/format.h>
#include <mpi.h>

#include "bench/rounds.h"
#include "tessera/base/error.h"

int main(int argc, char** argv) {
  const bench::Sizes sizes = bench::parse_sizes(argc, argv);
  try {
    tessera::run_world({.backend = "mpi", .ranks = 0}, [&](tessera::Communicator& world) {
      bench::Rounds between, in_place, ours;
      tessera::Tensor tensor = bench::filled(sizes.count, 1);
      tessera::Tensor result = bench::filled(sizes.count, 2);
      const auto count = static_cast<int>(sizes.count);
      const auto reduce = [&](const void* from, tessera::Tensor& to) {
        MPI_Allreduce(from, to.mutable_bytes().data(), count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      };
      for (int i = 0; i < sizes.rounds; ++i) {
        between.measure(world, [&] { reduce(tensor.bytes().data(), result); });
        in_place.measure(world, [&] { reduce(MPI_IN_PLACE, result); });
        ours.measure(world, [&] { world.all_reduce(tensor, tessera::ReduceOp::kSum); });
      }
      if (world.rank() == 0)
        fmt::print(
            "{{\"ranks\": {}, \"mib\": {}, \"openmpi\": {}, \"openmpi_in_place\": {}, \"mpi\": "
            "{}}}\n",
            world.size(), sizes.mib, between.json(), in_place.json(), ours.json());
    });
  } catch (const tessera::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
