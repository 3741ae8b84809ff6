#include "tessera/base/workers.h"

#include <chrono>

namespace tessera {
namespace {

/// Waits a while for `flag` before the thread sleeps. Waking a sleeping one takes as long as many
/// a run of its parts, more so where the processors are a virtual machine's; from one run to the
/// next is a moment only while a program runs. Whoever else wants the processor gets it meanwhile.
void spin_for(const std::atomic<bool>& flag) {
  using Clock = std::chrono::steady_clock;
  constexpr int kPauses = 200;  // some microseconds
  constexpr std::chrono::milliseconds kPatience(2);
  const Clock::time_point end = Clock::now() + kPatience;
  do {
    for (int i = 0; i < kPauses; ++i) {
      if (flag.load(std::memory_order_acquire)) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    std::this_thread::yield();
  } while (Clock::now() < end);
}

}  // namespace

Workers::Workers(int helpers) {
  for (int i = 0; i < helpers; ++i) threads_.emplace_back([this] { help(); });
}

Workers::~Workers() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
    open_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(size_t count, const IndexTask& task) {
  std::unique_lock lock(mutex_);
  task_ = &task;
  context_ = internal::ContextLink::innermost();
  count_ = count;
  next_ = 0;
  finished_ = 0;
  error_ = nullptr;
  complete_ = count == 0;
  open_ = count > 0;
  lock.unlock();
  wake_.notify_all();
  lock.lock();
  while (next_ < count_) work_one(lock);
  lock.unlock();
  spin_for(complete_);
  lock.lock();
  done_.wait(lock, [this] { return finished_ == count_; });
  task_ = nullptr;
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Workers::help() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (!stop_ && next_ >= count_) {
      lock.unlock();
      spin_for(open_);
      lock.lock();
    }
    wake_.wait(lock, [this] { return stop_ || next_ < count_; });
    if (stop_) return;
    const internal::AdoptContext adopt(context_);
    work_one(lock);
  }
}

/// Takes the next part. `lock` is held before and after, not while the part is worked on.
void Workers::work_one(std::unique_lock<std::mutex>& lock) {
  const size_t part = next_++;
  const IndexTask& task = *task_;
  open_ = next_ < count_;
  lock.unlock();
  std::exception_ptr error;
  try {
    task(part);
  } catch (...) {  // a thread's entry: the error travels to the caller
    error = std::current_exception();
  }
  lock.lock();
  if (error != nullptr && error_ == nullptr) error_ = error;
  if (++finished_ == count_) {
    complete_ = true;
    done_.notify_one();
  }
}

}  // namespace tessera
