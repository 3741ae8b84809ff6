#include "tessera/ops/threads.h"

#include <algorithm>

#include "tessera/ops/cpu/internal/parallel.h"

// The OpenMP runtime that oneDNN uses, by its stable C interface: code that is not compiled for
// OpenMP can then share its threads, whichever compiler this is.
extern "C" {
int omp_get_max_threads();
void omp_set_num_threads(int threads);
int omp_get_thread_num();
int omp_get_num_threads();
void GOMP_parallel(void (*task)(void*), void* data, unsigned threads, unsigned flags);
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

struct Range {
  const RangeTask* task;
  int64_t count;
};

void run_part(void* data) {
  const Range& range = *static_cast<const Range*>(data);
  const int64_t part = omp_get_thread_num();
  const int64_t parts = omp_get_num_threads();
  (*range.task)(range.count * part / parts, range.count * (part + 1) / parts);
}

}  // namespace

int worthwhile_threads(double work, int64_t parts) {
  constexpr double kWorkPerThread = 1e6;
  const double wanted = std::min(work / kWorkPerThread, static_cast<double>(parts));
  return std::clamp(static_cast<int>(std::min(wanted, 1e6)), 1, std::max(thread_limit(), 1));
}

void run_ranges(int64_t count, int threads, const RangeTask& task) {
  if (threads <= 1) {
    task(0, count);
    return;
  }
  Range range{&task, count};
  GOMP_parallel(run_part, &range, static_cast<unsigned>(threads), 0);
}

}  // namespace internal
}  // namespace tessera
