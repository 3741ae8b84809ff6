// The options of every word that runs a model.
#pragma once

#include <string>

#include "cli/checkpoint_options.h"
#include "tessera/model/model.h"

namespace tessera::cli {

struct ModelOptions {
  std::string model;
  std::string kernels = "best";
  bool deterministic = false;

  void declare(Arguments& arguments);
  RunOptions run_options(int threads) const;
  ModelSpec spec() const;
  /// The model for rows of `row_shape` (empty: its own) with the weights in `weights` (empty:
  /// none).
  Model open(const std::string& weights, const CheckpointOptions& checkpoint,
             const Shape& row_shape, int threads) const;
};

}  // namespace tessera::cli
