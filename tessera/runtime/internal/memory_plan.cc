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

/// A block where it lies.
struct Busy {
  int64_t begin = 0;
  int64_t end = 0;
  Lifetime life;
  bool operator<(const Busy& other) const {
    return std::pair(begin, end) < std::pair(other.begin, other.end);
  }
};

/// The lowest offset at which `bytes` fit between those `busy` while `life` lasts; they are sorted.
int64_t lowest_gap(std::span<const Busy> busy, const Lifetime& life, int64_t bytes) {
  int64_t offset = 0;
  for (const Busy& other : busy) {
    if (!meet(life, other.life)) continue;
    if (offset + bytes <= other.begin) break;
    offset = std::max(offset, other.end);
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
  std::vector<Busy> busy;  // sorted once for all: a search ends at its gap
  for (const size_t block : order) {
    const int64_t bytes = aligned(lifetimes[block].bytes);
    const int64_t offset = lowest_gap(busy, lifetimes[block], bytes);
    const Busy placed{offset, offset + bytes, lifetimes[block]};
    busy.insert(std::upper_bound(busy.begin(), busy.end(), placed), placed);
    plan.offsets[block] = offset;
    plan.total = std::max(plan.total, offset + bytes);
    plan.without_reuse += bytes;
  }
  plan.peak = peak_of(lifetimes);
  return plan;
}

}  // namespace tessera::internal
