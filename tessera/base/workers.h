// Threads that wait for parts of a run. Each has a share of its own, the same in every run, so that
// what one run wrote into a processor's caches is there in the next; who has no more takes over
// from the others. The caller works too, so a busy machine makes a run slow, never stuck.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"

namespace tessera {

class Workers {
 public:
  /// `helpers`: threads beside the caller.
  explicit Workers(int helpers);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Calls task(0) ... task(count - 1) and waits for all; the first error is thrown here. One run
  /// at a time.
  void run(size_t count, const IndexTask& task);

 private:
  void help(size_t helper);
  void spin_aside(size_t helper);
  bool is_taken(int cpu, size_t helper) const;
  void share_out(size_t count);
  size_t take_part(size_t thread);
  void work_one(std::unique_lock<std::mutex>& lock, size_t thread);

  struct Share {
    size_t begin, end;  // parts that nobody has begun
  };

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const IndexTask* task_ = nullptr;
  const internal::ContextLink* context_ = nullptr;
  size_t count_ = 0;
  std::vector<Share> shares_;  // of the caller, then of each helper
  size_t left_ = 0;            // parts that nobody has begun
  size_t finished_ = 0;
  bool stop_ = false;
  std::exception_ptr error_;
  std::atomic<bool> open_{false};       // left_ > 0, or stop_: worth taking the mutex
  std::atomic<bool> complete_{true};    // finished_ == count_
  std::atomic<int> caller_cpu_{-1};     // where the caller of the last run was
  std::vector<std::atomic<int>> cpus_;  // where each helper was last
  std::vector<std::thread> threads_;
};

}  // namespace tessera
