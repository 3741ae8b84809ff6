#include "cli/words/internal/predict_array.h"

#include <algorithm>

#include "cli/word.h"
#include "tessera/base/stopwatch.h"
#include "tessera/data/npy_file.h"

namespace tessera::cli {
namespace {

double quantile(std::vector<double> times, double part) {
  if (times.empty()) return 0;
  std::sort(times.begin(), times.end());
  return times[static_cast<size_t>(part * static_cast<double>(times.size() - 1) + 0.5)];
}

}  // namespace

void ArrayOptions::declare(Arguments& arguments) {
  arguments.group("Arrays");
  arguments.option("--input", input, "a .npy file: a batch of rows as the network reads them");
  arguments.option("--output", output, "the .npy file for the outputs, gathered by rank 0");
  arguments.flag("--per-rank", per_rank, "each rank writes what it has: OUTPUT with .rank_<i>");
  arguments.option("--repeat", repeat, "predict this many times and report the times");
}

ArrayRun predict_array(const ArrayOptions& options, Model& model, const Tensor& input) {
  ArrayRun run;
  std::vector<double> times;
  for (int64_t i = 0; i < options.repeat; ++i) {
    const Stopwatch watch;
    run.outputs = model.predict(input);
    times.push_back(watch.seconds() * 1000);
  }
  run.latency.first = times.front();
  times.erase(times.begin());
  run.latency.p50 = quantile(times, 0.5);
  run.latency.p99 = quantile(times, 0.99);
  return run;
}

void write_outputs(const ArrayOptions& options, const Tensor& outputs, Rank rank) {
  if (options.output.empty()) return;
  std::filesystem::path path = options.output;
  if (options.per_rank) {
    path.replace_extension();
    path += fmt::format(".rank_{}", rank);
    path += std::filesystem::path(options.output).extension();
  } else if (rank != 0) {
    return;
  }
  write_npy(outputs, path);
}

}  // namespace tessera::cli
