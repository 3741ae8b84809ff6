// Models by name, from the files of tessera/zoo. A model's options are part of its name:
//
//   lenet5      mlp(hidden=[128],activation=leaky_relu,bias=false)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/nn/scope.h"

namespace tessera {

/// What a model does to the rows of a data set when the user does not say.
struct DefaultTransforms {
  std::string_view source;      // "mnist"
  std::string_view transforms;  // in the notation of data/transform.h
};

/// Options that the weights of some cards of MindSpore Hub need, though the cards do not say so.
struct HubRule {
  std::string_view uid;       // the end of the card's uid has it: "residual"; "": any card
  std::string_view data_set;  // which the card's begins with, in small letters; "": any
  int since = 0;              // the first version of MindSpore, as major · 100 + minor
  std::string_view options;   // in the notation of a model's options
};

struct ModelDef {
  std::string_view name;  // filled in by the registry: the name of the file
  std::string_view doc;
  std::vector<AttrDef> options;
  /// Further names that cards of MindSpore Hub call it by; see find_hub_model.
  std::vector<std::string_view> hub_names = {};
  /// All that fit a card count; of one option the first.
  std::vector<HubRule> hub_rules = {};
  /// The shape of one row when no data says it: [c,h,w].
  Shape (*row_shape)(const Attrs& options) = nullptr;
  std::vector<DefaultTransforms> transforms;
  /// Adds the model to the scope's graph; x is [n, row...], the result [n, classes].
  Value (*build)(const Scope& scope, Value x, const Attrs& options) = nullptr;
};

/// A model with every option decided.
struct ModelSpec {
  const ModelDef* model = nullptr;
  Attrs options;
};

std::span<const ModelDef> all_models();
/// The model with every option at its default.
ModelSpec spec_of(const ModelDef& model);
/// Reads "name" or "name(option=value,…)"; strings need no quotes. Throws kInvalidArgument, naming
/// the nearest models or the model's options.
ModelSpec parse_model(std::string_view text);
/// The model that a card calls `name`, which is its own name or one of its hub_names but for case,
/// '-',
/// '_' and blanks; null when there is none.
const ModelDef* find_hub_model(std::string_view name);
/// The full name, options that differ from their defaults only.
std::string to_string(const ModelSpec& spec);

/// The graph of the model for a batch: one input "x" of [rows, row_shape...], one output.
Graph trace(const ModelSpec& spec, int64_t rows, const Shape& row_shape);

}  // namespace tessera
