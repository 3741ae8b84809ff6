// Threads for kernels: the ones oneDNN uses, so that a program never has two pools. Tasks must not
// throw.
#pragma once

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

void run_ranges(int64_t count, int threads, const RangeTask& task);

/// Calls task(begin, end) for `threads` even ranges of [0, count), each on its own thread.
template <typename Callable>
void parallel_ranges(int64_t count, int threads, const Callable& task) {
  run_ranges(count, threads, RangeTask(task));
}

}  // namespace tessera::internal
