// How fast a program runs, for one caller or several at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tessera/runtime/program.h"

namespace tessera {

/// The middle one of values in their order, of an even number the upper one; there is one at least.
double median(std::vector<double> values);

struct RunTimes {
  int64_t runs = 0;            // of all callers
  double elapsed_seconds = 0;  // from the first call's begin to the last one's end
  double median_seconds = 0;   // of one run
  double best_seconds = 0;

  /// Where several runs go on at the same time, more than one in median_seconds.
  double runs_per_second() const { return static_cast<double>(runs) / elapsed_seconds; }
};

/// Runs the program again and again with the same inputs from `callers` threads, this one among
/// them, until `seconds` are over; each runs it once at least. Throws what run() throws.
RunTimes measure_runs(Program& program, std::span<const Tensor> inputs, int callers,
                      double seconds);

}  // namespace tessera
