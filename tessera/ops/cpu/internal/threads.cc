#include "tessera/ops/threads.h"

#include <algorithm>
#include <memory>

#include "tessera/base/workers.h"
#include "tessera/ops/cpu/internal/parallel.h"

// The OpenMP runtime that oneDNN uses, by its stable C interface. Our own kernels do not compute on
// its threads: all of them must come to the end of a parallel region, and on a busy machine one
// that has no processor keeps the others waiting.
extern "C" {
int omp_get_max_threads();
void omp_set_num_threads(int threads);
}

namespace tessera {

ThreadLimit::ThreadLimit(int threads) : previous_(omp_get_max_threads()) {
  const int wanted = std::max(threads, 1);
  if (wanted != previous_) omp_set_num_threads(wanted);
}

ThreadLimit::~ThreadLimit() {
  if (omp_get_max_threads() != previous_) omp_set_num_threads(previous_);
}

int thread_limit() {
  return omp_get_max_threads();
}

namespace internal {
namespace {

/// The helpers of this thread; threads that call kernels each have their own.
Workers& helpers(int count) {
  thread_local std::unique_ptr<Workers> workers;
  thread_local int present = 0;
  if (workers == nullptr || present < count) {
    workers = std::make_unique<Workers>(count);
    present = count;
  }
  return *workers;
}

}  // namespace

int worthwhile_threads(double work, int64_t parts) {
  constexpr double kWorkPerThread = 3e5;
  const double wanted = std::min(work / kWorkPerThread, static_cast<double>(parts));
  return std::clamp(static_cast<int>(std::min(wanted, 1e6)), 1, std::max(thread_limit(), 1));
}

void run_ranges(int64_t count, int64_t parts, int threads, const RangeTask& task) {
  if (threads <= 1 || parts <= 1) {
    task(0, count);
    return;
  }
  const auto run_part = [&](size_t part) {
    const auto i = static_cast<int64_t>(part);
    task(count * i / parts, count * (i + 1) / parts);
  };
  helpers(threads - 1).run(static_cast<size_t>(parts), IndexTask(run_part));
}

std::vector<int64_t> halving_ends(int64_t count, int64_t least, int threads) {
  std::vector<int64_t> ends;
  for (int thread = 0; thread < threads; ++thread) {
    const int64_t end = count * (thread + 1) / threads;
    // As many parts for each thread: Workers gives neighbouring ones to one.
    int64_t left = end - count * thread / threads;
    for (int64_t share = count / threads; share / 2 >= least; share /= 2) {
      left /= 2;
      ends.push_back(end - left);
    }
    ends.push_back(end);
  }
  return ends;
}

void run_parts_to(std::span<const int64_t> ends, int threads, const RangeTask& task) {
  if (threads <= 1 || ends.size() <= 1) {
    if (!ends.empty()) task(0, ends.back());
    return;
  }
  const auto run_part = [&](size_t part) { task(part == 0 ? 0 : ends[part - 1], ends[part]); };
  helpers(threads - 1).run(ends.size(), IndexTask(run_part));
}

}  // namespace internal
}  // namespace tessera
