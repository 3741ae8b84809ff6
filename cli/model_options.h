// The options of every word that runs a model.
#pragma once

#include <string>

#include "cli/checkpoint_options.h"
#include "cli/hub_options.h"
#include "tessera/model/model.h"

namespace tessera::cli {

struct WeightFiles {
  std::string place;     // a file or folder; empty: none
  std::string strategy;  // how the files of a folder of ranks were cut; empty: they were not
};

struct ModelOptions {
  std::string model;
  std::string kernels = "best";
  bool deterministic = false;
  std::string precision = "f32";
  std::vector<std::string> reinit;
  HubOptions hub;

  void declare(Arguments& arguments);
  /// Makes "hub:UID" and "hub:UID(option=value)" the name of a model; where weights are needed and
  /// none are named, the card's file is fetched and becomes `weights`. Comes before everything
  /// else. Throws UsageError when there are none then.
  void resolve(std::string& weights, bool needs_weights, bool quiet);
  RunOptions run_options(int threads) const;
  ModelSpec spec() const;
  /// The model for rows of `row_shape` (empty: its own) with these weights.
  Model open(const WeightFiles& weights, const CheckpointOptions& checkpoint,
             const Shape& row_shape, const RunOptions& run, uint64_t seed = 0) const;
};

}  // namespace tessera::cli
