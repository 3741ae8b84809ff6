#include "tessera/checkpoint/strategies/internal/mindspore_items.h"

#include <algorithm>
#include <map>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

constexpr int kMostStages = 1 << 16;
constexpr size_t kMostDims = 64;
constexpr int64_t kMostRanks = 1 << 24;

struct StagedName {
  int stage = 0;
  std::string_view name;
};

/// Splits "1-fc.weight" at the first '-'; nothing when no stage stands before it.
std::optional<StagedName> split_stage(std::string_view name) {
  const size_t dash = name.find('-');
  if (dash == std::string_view::npos || dash + 1 == name.size()) return {};
  const std::string_view digits = name.substr(0, dash);
  const std::optional<int64_t> stage = parse_int(digits);
  const bool is_plain = digits == "0" || (!digits.empty() && digits[0] >= '1' && digits[0] <= '9');
  if (!stage || !is_plain || *stage >= kMostStages) return {};
  return StagedName{static_cast<int>(*stage), name.substr(dash + 1)};
}

/// A file is merged when every name says a stage, and the stages of its operators are among these.
bool is_merged(const MindSporeItems& items) {
  std::vector<bool> named(kMostStages, false);
  for (const MindSporeLayout& layout : items.layouts) {
    const std::optional<StagedName> split = split_stage(layout.name);
    if (!split) return false;
    named[static_cast<size_t>(split->stage)] = true;
  }
  return std::all_of(
      items.operators.begin(), items.operators.end(),
      [&](const OperatorStrategy& op) { return named[static_cast<size_t>(op.stage)]; });
}

/// The stage of a file that is not merged: that of its operators, 0 where there are none.
int stage_of_operators(const std::vector<OperatorStrategy>& operators) {
  if (operators.empty()) return 0;
  for (const OperatorStrategy& op : operators)
    require_valid(op.stage == operators[0].stage,
                  "operator '{}' belongs to pipeline stage {} and '{}' to {}, but the parameters "
                  "have no stage before their names, as they do in a merged strategy",
                  printable(operators[0].name), operators[0].stage, printable(op.name), op.stage);
  return operators[0].stage;
}

TensorMap checked_map(const MindSporeLayout& from) {
  const std::string name = printable(from.name);
  require_valid(from.device_matrix.size() <= kMostDims && from.tensor_map.size() <= kMostDims,
                "the layout of '{}' has {} device dims and {} tensor dims; at most {} are possible",
                name, from.device_matrix.size(), from.tensor_map.size(), kMostDims);
  TensorMap map;
  int64_t count = 1;
  for (const int64_t size : from.device_matrix) {
    require_valid(size >= 1, "the device matrix of '{}' has a dim of size {}", name, size);
    require_valid(size <= kMostRanks && (count *= size) <= kMostRanks,
                  "the device matrix of '{}' has more than {} devices", name, kMostRanks);
    map.device_matrix.push_back(static_cast<int>(size));
  }
  const int64_t dims = static_cast<int64_t>(map.device_matrix.size());
  std::vector<bool> used(map.device_matrix.size(), false);
  for (size_t d = 0; d < from.tensor_map.size(); ++d) {
    std::vector<int>& entry = map.dims.emplace_back();
    for (const int64_t from_right : from.tensor_map[d]) {
      if (from_right == -1) continue;
      require_valid(from_right >= 0 && from_right < dims,
                    "the tensor map of '{}' says device dim {} for dim {}, but the device matrix "
                    "has {} dims, counted from the right",
                    name, from_right, d, dims);
      require_valid(!used[static_cast<size_t>(from_right)],
                    "the tensor map of '{}' uses device dim {} twice", name, from_right);
      used[static_cast<size_t>(from_right)] = true;
      entry.push_back(static_cast<int>(from_right));
    }
  }
  return map;
}

int checked_int(int64_t value, int64_t least, std::string_view what, std::string_view name) {
  require_valid(value >= least && value <= kMostRanks, "{} of '{}' is {}, wanted is {} to {}", what,
                printable(name), value, least, kMostRanks);
  return static_cast<int>(value);
}

/// Meshes that are equal become one object: there may be many parameters.
class Meshes {
 public:
  MeshPtr share(const MeshPtr& mesh) {
    std::vector<int> sizes;
    for (const MeshAxis& axis : mesh->axes) sizes.push_back(axis.size);
    return known_.try_emplace(std::move(sizes), mesh).first->second;
  }

 private:
  std::map<std::vector<int>, MeshPtr> known_;
};

ParameterLayout to_parameter(MindSporeLayout&& from, Meshes& meshes) {
  require_valid(!from.name.empty(), "a parameter has no name");
  require_valid(is_utf8(from.name), "the name '{}' is not UTF-8", printable(from.name));
  ParameterLayout parameter;
  parameter.layout = from_tensor_map(checked_map(from));
  parameter.layout.mesh = meshes.share(parameter.layout.mesh);
  parameter.field = checked_int(from.field, 0, "the field", from.name);
  // MindSpore cuts no further when either is 0.
  if (from.optimizer_step != 0 && from.optimizer_size != 0) {
    parameter.optimizer_step =
        checked_int(from.optimizer_step, 1, "opt_weight_shard_step", from.name);
    parameter.optimizer_size =
        checked_int(from.optimizer_size, -1, "opt_weight_shard_size", from.name);
  }
  for (const int64_t rows : from.split_rows)
    require_valid(rows >= 0, "param_split_shape of '{}' holds {}", printable(from.name), rows);
  if (from.shape) {
    for (const int64_t extent : *from.shape)
      require_valid(extent >= 0, "tensor_shape of '{}' is {}", printable(from.name),
                    to_string(*from.shape));
    require_valid(from.shape->size() == parameter.layout.dims.size(),
                  "tensor_shape of '{}' is {} but its tensor map has {} dims", printable(from.name),
                  to_string(*from.shape), parameter.layout.dims.size());
  }
  parameter.name = std::move(from.name);
  parameter.split_rows = std::move(from.split_rows);
  parameter.row_offsets = std::move(from.row_offsets);
  parameter.shape = std::move(from.shape);
  return parameter;
}

}  // namespace

bool begins_with_stage(std::string_view name) {
  return split_stage(name).has_value();
}

int checked_stage(int64_t stage, std::string_view of) {
  require_valid(stage >= 0 && stage < kMostStages, "'{}' says pipeline stage {}; wanted is 0 to {}",
                printable(of), stage, kMostStages - 1);
  return static_cast<int>(stage);
}

Strategy to_strategy(MindSporeItems items, std::string_view format) {
  require_valid(!items.layouts.empty(),
                "the file has no layout of any parameter: a network whose operators have no "
                "strategy was saved");
  require_valid(items.current_stage >= 0 && items.current_stage <= 0x7FFFFFFF,
                "current_stage is {}", items.current_stage);
  for (const OperatorStrategy& op : items.operators)
    require_valid(is_utf8(op.name), "the name '{}' of an operator is not UTF-8",
                  printable(op.name));
  const bool merged = is_merged(items);
  const int stage = merged ? 0 : stage_of_operators(items.operators);
  Strategy strategy;
  strategy.format = format;
  strategy.current_stage = static_cast<int>(items.current_stage);
  Meshes meshes;
  for (MindSporeLayout& layout : items.layouts) {
    ParameterLayout parameter = to_parameter(std::move(layout), meshes);
    parameter.stage = stage;
    if (merged) {
      const StagedName split = *split_stage(parameter.name);
      parameter.stage = split.stage;
      parameter.name = std::string(split.name);
    }
    strategy.stage_count = std::max(strategy.stage_count, parameter.stage + 1);
    strategy.ranks_per_stage =
        std::max(strategy.ranks_per_stage, parameter.layout.mesh->rank_count());
    strategy.parameters.push_back(std::move(parameter));
  }
  strategy.operators = std::move(items.operators);
  return strategy;
}

}  // namespace tessera::internal
