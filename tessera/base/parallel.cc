#include "tessera/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "tessera/base/error.h"

namespace tessera {

int default_thread_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int thread_count(int wanted) {
  return wanted > 0 ? wanted : default_thread_count();
}

namespace internal {
namespace {

struct SharedState {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::exception_ptr error;
};

void work(SharedState& state, size_t count, const IndexTask& task) {
  while (!state.failed.load(std::memory_order_relaxed)) {
    const size_t index = state.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= count) return;
    try {
      task(index);
    } catch (...) {  // a thread's entry: the error travels to the caller
      const std::scoped_lock lock(state.mutex);
      if (!state.error) state.error = std::current_exception();
      state.failed = true;
    }
  }
}

}  // namespace

void run_parallel(size_t count, int threads, const IndexTask& task) {
  const size_t workers = std::min(count, static_cast<size_t>(std::max(1, threads)));
  if (workers <= 1) {
    for (size_t i = 0; i < count; ++i) task(i);
    return;
  }
  SharedState state;
  const ContextLink* chain = ContextLink::innermost();
  {
    std::vector<std::jthread> pool;
    for (size_t i = 1; i < workers; ++i) {
      pool.emplace_back([&] {
        const AdoptContext adopt(chain);
        work(state, count, task);
      });
    }
    work(state, count, task);
  }
  if (state.error) std::rethrow_exception(state.error);
}

}  // namespace internal
}  // namespace tessera
