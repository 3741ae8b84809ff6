#include "tessera/base/workers.h"

#include <algorithm>
#include <chrono>

#include "tessera/base/processors.h"

namespace tessera {
namespace {

constexpr int kPauses = 200;  // between two looks at the clock: some microseconds

/// Whether `flag` is set within a few microseconds.
bool spin_briefly(const std::atomic<bool>& flag) {
  for (int i = 0; i < kPauses; ++i) {
    if (flag.load(std::memory_order_acquire)) return true;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  return false;
}

/// Waits a while for `flag` before the thread sleeps, and calls `between` now and then. Waking a
/// sleeping one takes as long as many a run of its parts, more so where the processors are a
/// virtual machine's; from one run to the next is a moment only while a program runs. Whoever else
/// wants the processor gets it meanwhile.
template <typename Between>
void spin_for(const std::atomic<bool>& flag, const Between& between) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kPatience(2);
  const Clock::time_point end = Clock::now() + kPatience;
  do {
    if (spin_briefly(flag)) return;
    between();
    std::this_thread::yield();
  } while (Clock::now() < end);
}

}  // namespace

Workers::Workers(int helpers)
    : shares_(static_cast<size_t>(helpers) + 1), cpus_(static_cast<size_t>(helpers)) {
  for (std::atomic<int>& cpu : cpus_) cpu = -1;
  for (size_t i = 0; i < cpus_.size(); ++i) threads_.emplace_back([this, i] { help(i); });
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
  share_out(count);
  finished_ = 0;
  error_ = nullptr;
  caller_cpu_ = current_processor();
  complete_ = count == 0;
  open_ = count > 0;
  lock.unlock();
  wake_.notify_all();
  lock.lock();
  while (left_ > 0) work_one(lock, 0);
  lock.unlock();
  spin_for(complete_, [] {});
  lock.lock();
  done_.wait(lock, [this] { return finished_ == count_; });
  task_ = nullptr;
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

bool Workers::is_taken(int cpu, size_t helper) const {
  if (cpu == caller_cpu_.load(std::memory_order_relaxed)) return true;
  for (size_t i = 0; i < helper; ++i)
    if (cpus_[i].load(std::memory_order_relaxed) == cpu) return true;
  return false;
}

/// Waits for the next run on a processor of its own: two threads that compute on one take turns,
/// while another processor has nothing to do.
void Workers::spin_aside(size_t helper) {
  const auto taken = [&](int cpu) { return is_taken(cpu, helper); };
  spin_for(open_, [&] {
    if (taken(current_processor())) step_aside(taken);
    cpus_[helper].store(current_processor(), std::memory_order_relaxed);
  });
}

void Workers::help(size_t helper) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (!stop_ && left_ == 0) {
      lock.unlock();
      spin_aside(helper);
      lock.lock();
    }
    wake_.wait(lock, [this] { return stop_ || left_ > 0; });
    if (stop_) return;
    const internal::AdoptContext adopt(context_);
    work_one(lock, helper + 1);
  }
}

/// Neighbouring parts to one thread, those left over to the first ones.
void Workers::share_out(size_t count) {
  const size_t threads = shares_.size();
  const auto begin = [&](size_t thread) { return (count * thread + threads - 1) / threads; };
  for (size_t i = 0; i < threads; ++i) shares_[i] = {begin(i), begin(i + 1)};
  count_ = count;
  left_ = count;
}

/// The next part of the thread's own share, else the last one of whoever has the most left.
size_t Workers::take_part(size_t thread) {
  --left_;
  Share& own = shares_[thread];
  if (own.begin < own.end) return own.begin++;
  const auto left = [](const Share& share) { return share.end - share.begin; };
  return --std::ranges::max_element(shares_, {}, left)->end;
}

/// Works on one part. `lock` is held before and after, not while the part is worked on.
void Workers::work_one(std::unique_lock<std::mutex>& lock, size_t thread) {
  const size_t part = take_part(thread);
  const IndexTask& task = *task_;
  open_ = left_ > 0;
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
