#include "tessera/runtime/measure_runs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tessera/base/parallel.h"
#include "tessera/base/stopwatch.h"

namespace tessera {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

RunTimes measure_runs(Program& program, std::span<const Tensor> inputs, int callers,
                      double seconds) {
  require(callers >= 1, "{} callers are to run the program; wanted at least 1", callers);
  std::vector<std::vector<double>> of_callers(static_cast<size_t>(callers));
  const Stopwatch watch;
  parallel_for(of_callers.size(), callers, [&](size_t caller) {
    double now = watch.seconds();
    do {
      const double begin = now;
      program.run(inputs);
      now = watch.seconds();
      of_callers[caller].push_back(now - begin);
    } while (now < seconds);
  });
  RunTimes times;
  times.elapsed_seconds = watch.seconds();
  std::vector<double> all;
  for (const std::vector<double>& some : of_callers)
    all.insert(all.end(), some.begin(), some.end());
  times.runs = std::ssize(all);
  times.best_seconds = *std::ranges::min_element(all);
  times.median_seconds = median(std::move(all));
  return times;
}

}  // namespace tessera
