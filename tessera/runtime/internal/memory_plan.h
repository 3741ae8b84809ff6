// Where activations lie in one arena: blocks that are needed at the same time do not overlap,
// blocks that are not may share bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tessera::internal {

/// Bytes that must be kept from step `first` to step `last`, both included.
struct Lifetime {
  int64_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // one per lifetime, multiples of 64
  int64_t total = 0;             // size of the arena
  int64_t peak = 0;              // most bytes alive at one step: no plan is smaller
  int64_t without_reuse = 0;     // the sum of all blocks
};

/// Largest block first, each at the lowest offset that is free while it lives.
MemoryPlan plan_memory(std::span<const Lifetime> lifetimes);

}  // namespace tessera::internal
