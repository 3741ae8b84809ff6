// How many threads the kernels of this library may use: a limit per calling thread, so that ranks
// that are threads of one process each keep to their share.
#pragma once

namespace tessera {

/// While it lives, kernels that are prepared or run on this thread use at most `threads` threads
/// (at least one).
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int previous_;
};

/// The limit in force on this thread.
int thread_limit();

}  // namespace tessera
