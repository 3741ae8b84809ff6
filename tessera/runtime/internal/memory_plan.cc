#include "tessera/runtime/internal/memory_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tessera::internal {
namespace {

constexpr int64_t kAlignment = 64;

int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

bool meet(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

/// The lowest offset at which `bytes` fit between the busy ranges, which are sorted by begin.
int64_t lowest_gap(std::span<const std::pair<int64_t, int64_t>> busy, int64_t bytes) {
  int64_t offset = 0;
  for (const auto& [begin, end] : busy) {
    if (offset + bytes <= begin) break;
    offset = std::max(offset, end);
  }
  return offset;
}

int64_t peak_of(std::span<const Lifetime> lifetimes) {
  std::vector<std::pair<int, int64_t>> changes;  // step, bytes
  for (const Lifetime& life : lifetimes) {
    changes.emplace_back(life.first, aligned(life.bytes));
    changes.emplace_back(life.last + 1, -aligned(life.bytes));
  }
  std::sort(changes.begin(), changes.end());  // frees come before new blocks of the same step
  int64_t alive = 0;
  int64_t peak = 0;
  for (const auto& [step, bytes] : changes) peak = std::max(peak, alive += bytes);
  return peak;
}

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> lifetimes) {
  MemoryPlan plan;
  plan.offsets.resize(lifetimes.size());
  std::vector<size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  std::vector<size_t> placed;
  std::vector<std::pair<int64_t, int64_t>> busy;
  for (const size_t block : order) {
    busy.clear();
    for (const size_t other : placed) {
      if (!meet(lifetimes[block], lifetimes[other])) continue;
      busy.emplace_back(plan.offsets[other], plan.offsets[other] + aligned(lifetimes[other].bytes));
    }
    std::sort(busy.begin(), busy.end());
    const int64_t bytes = aligned(lifetimes[block].bytes);
    plan.offsets[block] = lowest_gap(busy, bytes);
    plan.total = std::max(plan.total, plan.offsets[block] + bytes);
    plan.without_reuse += bytes;
    placed.push_back(block);
  }
  plan.peak = peak_of(lifetimes);
  return plan;
}

}  // namespace tessera::internal
