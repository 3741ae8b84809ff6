// What the measurements of collectives share: sizes, and rounds that all ranks begin together.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "tessera/comm/communicator.h"

namespace bench {

struct Sizes {
  int64_t mib = 64;
  int rounds = 20;
  int ranks = 2;
  int64_t count = 0;  // of f32
};

inline Sizes parse_sizes(int argc, char** argv) {
  Sizes sizes;
  if (argc > 1) sizes.mib = std::max(1, std::atoi(argv[1]));
  if (argc > 2) sizes.rounds = std::max(1, std::atoi(argv[2]));
  if (argc > 3) sizes.ranks = std::max(1, std::atoi(argv[3]));
  sizes.count = sizes.mib << 18;
  return sizes;
}

/// Touched memory: small numbers, zero mostly, so that no sum of sums grows out of f32.
inline tessera::Tensor filled(int64_t count, int seed) {
  tessera::Tensor tensor(tessera::DType::kF32, {count});
  for (int64_t i = 0; float& x : tensor.mutable_data<float>())
    x = (i++ + seed) % 97 == 0 ? 1e-30F : 0.0F;
  return tensor;
}

class Rounds {
 public:
  /// Collective: rank 0 takes the time from when all begin to when all have ended.
  template <typename Work>
  void measure(tessera::Communicator& world, const Work& work) {
    world.barrier();
    const auto begin = std::chrono::steady_clock::now();
    work();
    world.barrier();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (world.rank() == 0) seconds_.push_back(taken.count());
  }
  std::string json() const {
    std::vector<double> sorted = seconds_;
    std::sort(sorted.begin(), sorted.end());
    return fmt::format("{{\"best_s\": {:.6f}, \"median_s\": {:.6f}}}", sorted.front(),
                       sorted[sorted.size() / 2]);
  }

 private:
  std::vector<double> seconds_;
};

}  // namespace bench
