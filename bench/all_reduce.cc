// How long ranks take to add a tensor up, beside what the memory allows.
//
//   bench_all_reduce [MIB [ROUNDS [RANKS]]]        default: 64 20 2
//
// Prints one line of JSON: seconds (best and median) of an all_reduce of f32 over threads, and of
// as many threads that each memcpy what a rank must read and write: N segments of 1/N.
#include <fmt/format.h>

#include <cstring>

#include "bench/rounds.h"
#include "tessera/base/error.h"

namespace {

using tessera::Communicator;
using tessera::Tensor;

}  // namespace

int main(int argc, char** argv) {
  const bench::Sizes sizes = bench::parse_sizes(argc, argv);
  try {
    bench::Rounds reduced, copied;
    tessera::run_world({.backend = "local", .ranks = sizes.ranks}, [&](Communicator& world) {
      Tensor tensor = bench::filled(sizes.count, 1);
      const Tensor source = bench::filled(sizes.count, 2);
      Tensor target = bench::filled(sizes.count, 3);
      for (int i = 0; i < sizes.rounds; ++i) {
        reduced.measure(world, [&] { world.all_reduce(tensor, tessera::ReduceOp::kSum); });
        copied.measure(world, [&] {
          std::memcpy(target.mutable_bytes().data(), source.bytes().data(),
                      static_cast<size_t>(source.byte_count()));
        });
      }
    });
    fmt::print("{{\"ranks\": {}, \"mib\": {}, \"local\": {}, \"memcpy\": {}}}\n", sizes.ranks,
               sizes.mib, reduced.json(), copied.json());
  } catch (const tessera::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
