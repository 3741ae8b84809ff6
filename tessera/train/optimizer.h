// How parameters change by their gradients: an optimizer of tessera/train/optimizers by name, with
// MindSpore's formulas, defaults and names of what it keeps.
//
//   momentum(learning_rate=0.01,momentum=0.9)      adam      sgd(learning_rate=warmup(…) for 50 …)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/graph/value.h"
#include "tessera/train/schedule.h"

namespace tessera {

/// A tensor of the parameter's shape that is kept per parameter.
struct OptimizerState {
  std::string_view prefix;  // of its name in a checkpoint: "moments" for moments.fc1.weight
  double initial = 0;       // of every element
};

/// A number that is multiplied by an option at every step, from 1 on: beta1_power by beta1.
struct RunningPower {
  std::string_view name;
  std::string_view option;
  bool is_saved = true;  // in a checkpoint; otherwise it follows from the step
};

/// One parameter's step, in a graph.
struct UpdateCall {
  Value parameter;
  Value gradient;
  std::vector<Value> states;
  Value rate;                 // f32 []; where it is no number, nothing may change
  std::vector<Value> powers;  // f32 [], of this step
  double weight_decay = 0;
  const Attrs& options;
};

struct OptimizerDef {
  std::string_view name;  // filled in by the registry: the name of the file
  std::string_view mindspore_name;
  std::string_view doc;
  std::vector<AttrDef> options;  // every one has learning_rate (text) and weight_decay (a double)
  std::vector<OptimizerState> (*states)(const Attrs& options) = nullptr;
  std::vector<RunningPower> powers = {};
  /// Options that a checkpoint of MindSpore's keeps as f32 numbers: "momentum".
  std::vector<std::string_view> saved_options = {};
  void (*check)(const Attrs& options) = nullptr;  // throws kInvalidArgument; may be null
  /// Whether MindSpore leaves parameters whose names hold "beta" or "gamma" out of weight_decay
  /// where no group names one for them.
  bool spares_norms = true;
  /// Adds the nodes; gives the parameter and the states as they are then.
  std::vector<Value> (*update)(const UpdateCall& call) = nullptr;
};

std::span<const OptimizerDef> all_optimizers();

/// An optimizer with every option decided.
struct Optimizer {
  const OptimizerDef* definition = nullptr;
  Attrs options;
  Schedule rate;

  double weight_decay() const { return std::get<double>(options.find("weight_decay")->second); }
};

/// Throws kInvalidArgument, naming the nearest optimizers or the options.
Optimizer parse_optimizer(std::string_view text);
std::string to_string(const Optimizer& optimizer);

}  // namespace tessera
