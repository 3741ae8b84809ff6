// Work on several threads of this process, with errors that arrive whole.
#pragma once

#include <cstddef>
#include <memory>

namespace tessera {

/// A call of something by reference; must not outlive what it refers to.
class IndexTask {
 public:
  template <typename Callable>
  explicit IndexTask(const Callable& callable)
      : call_([](const void* self, size_t index) { (*static_cast<const Callable*>(self))(index); }),
        self_(&callable) {}
  void operator()(size_t index) const { call_(self_, index); }

 private:
  void (*call_)(const void* self, size_t index);
  const void* self_;
};

/// How many threads work when nobody says: the processors this process may use.
int default_thread_count();
/// `wanted` where it is more than 0, else default_thread_count(): what options mean by 0 threads.
int thread_count(int wanted);

namespace internal {
void run_parallel(size_t count, int threads, const IndexTask& task);
}

/// Calls task(0) … task(count - 1) on up to `threads` threads, this one included, and waits for
/// all. The first Error (or exception) is thrown here, after the calls under way have ended; calls
/// not begun by then are dropped. Workers see the caller's ErrorContexts. May be called from a
/// task.
template <typename Callable>
void parallel_for(size_t count, int threads, const Callable& task) {
  internal::run_parallel(count, threads, IndexTask(task));
}

}  // namespace tessera
