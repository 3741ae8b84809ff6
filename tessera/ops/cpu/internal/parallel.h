// Threads for kernels of our own. The caller computes whatever no other thread has begun.
#pragma once

#include <algorithm>
#include <cstdint>

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

}  // namespace tessera::internal
