// Threads for kernels of our own. The caller computes whatever no other thread has begun.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "tessera/ops/threads.h"

namespace tessera::internal {

/// A call of something by reference; must not outlive what it refers to.
class RangeTask {
 public:
  template <typename Callable>
  explicit RangeTask(const Callable& callable)
      : call_([](const void* self, int64_t begin, int64_t end) {
          (*static_cast<const Callable*>(self))(begin, end);
        }),
        self_(&callable) {}
  void operator()(int64_t begin, int64_t end) const { call_(self_, begin, end); }

 private:
  void (*call_)(const void* self, int64_t begin, int64_t end);
  const void* self_;
};

/// How many threads `work` (multiply-adds, or elements touched) in `parts` is worth, within the
/// limit: waking a thread costs microseconds.
int worthwhile_threads(double work, int64_t parts);

/// Into how many parts work is cut for each thread, where more parts cost little.
inline constexpr int64_t kPartsPerThread = 4;

void run_ranges(int64_t count, int64_t parts, int threads, const RangeTask& task);
/// The same for the parts [0, ends[0]), [ends[0], ends[1]) and so on.
void run_parts_to(std::span<const int64_t> ends, int threads, const RangeTask& task);

/// Calls task(begin, end) for `threads` even ranges of [0, count).
template <typename Callable>
void parallel_ranges(int64_t count, int threads, const Callable& task) {
  run_ranges(count, threads, threads, RangeTask(task));
}

/// The same for up to `parts` ranges, more than there are threads: a thread that is slow takes
/// fewer of them.
template <typename Callable>
void parallel_parts(int64_t count, int64_t parts, int threads, const Callable& task) {
  run_ranges(count, std::min(parts, count), threads, RangeTask(task));
}

/// Where the parts of parallel_halves end: `threads` even shares of [0, count), and in each share a
/// half of what is left of it, again and again while that is no less than `least`.
std::vector<int64_t> halving_ends(int64_t count, int64_t least, int threads);

/// task(begin, end) for parts that get smaller towards the end of each thread's share: threads that
/// are not equally fast end together, and most work is in large parts, which cost less to begin.
template <typename Callable>
void parallel_halves(int64_t count, int64_t least, int threads, const Callable& task) {
  run_parts_to(halving_ends(count, least, threads), threads, RangeTask(task));
}

}  // namespace tessera::internal
