// Predicting an array of a file as it is, without transforms: what comes out goes into a file.
#pragma once

#include <string>

#include "cli/model_options.h"
#include "cli/rank_options.h"

namespace tessera::cli {

struct ArrayOptions {
  std::string input;   // .npy: a batch of rows, f32
  std::string output;  // .npy
  bool per_rank = false;
  int64_t repeat = 1;

  void declare(Arguments& arguments);
};

/// Times of predictions, in milliseconds.
struct Latency {
  double first = 0;  // with compiling
  double p50 = 0;    // of the others; 0 where there are none
  double p99 = 0;
};

/// What one rank does. `tells`: it prints.
struct ArrayRun {
  Latency latency;
  Tensor outputs;
};
ArrayRun predict_array(const ArrayOptions& options, Model& model, const Tensor& input);

/// Writes the outputs: gathered by rank 0, or each rank's own part into OUTPUT with ".rank_<i>"
/// before its suffix.
void write_outputs(const ArrayOptions& options, const Tensor& outputs, Rank rank);

}  // namespace tessera::cli
