// One strategy of a whole pipeline from those of its stages.
#include <algorithm>
#include <map>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategy.h"

namespace tessera {
namespace {

/// The parameters of one stage, by name: ranks of a stage save them in different orders.
using Stage = std::map<std::string_view, const ParameterLayout*>;

std::map<int, Stage> stages_of(const Strategy& strategy) {
  std::map<int, Stage> stages;
  for (const ParameterLayout& one : strategy.parameters) stages[one.stage].emplace(one.name, &one);
  return stages;
}

/// Equal but for the shape, which MindSpore's protobuf does not say.
bool same_cut(const ParameterLayout& a, const ParameterLayout& b) {
  ParameterLayout other = b;
  other.shape = a.shape;
  return a == other && (!a.shape || !b.shape || *a.shape == *b.shape);
}

/// Where two strategies of one stage contradict each other: a text for the message, or "".
std::string difference(const Stage& a, const Stage& b) {
  for (const auto& [name, layout] : a) {
    const auto found = b.find(name);
    if (found == b.end()) return fmt::format("only one of them has '{}'", printable(name));
    if (same_cut(*layout, *found->second)) continue;
    const bool of_layout = layout->layout != found->second->layout;
    return of_layout ? fmt::format("'{}' is {} in one and {} in the other", printable(name),
                                   to_string(layout->layout), to_string(found->second->layout))
                     : fmt::format("'{}' has other options or another shape", printable(name));
  }
  for (const auto& [name, layout] : b)
    if (!a.contains(name)) return fmt::format("only one of them has '{}'", printable(name));
  return "";
}

/// Which stages are missing, for messages: "1, 2".
std::string missing_stages(const std::map<int, size_t>& sources, int count) {
  std::vector<std::string> missing;
  for (int stage = 0; stage < count && missing.size() < 10; ++stage)
    if (!sources.contains(stage)) missing.push_back(fmt::format("{}", stage));
  return join(missing, ", ");
}

}  // namespace

Strategy merge_stages(std::span<const Strategy> stages) {
  require(!stages.empty(), "there is no strategy to merge");
  std::map<int, size_t> sources;  // stage -> which of `stages` says it
  Strategy merged;
  merged.format = stages[0].format;
  for (size_t i = 0; i < stages.size(); ++i) {
    bool taken = false;
    for (const auto& [stage, parameters] : stages_of(stages[i])) {
      const auto [known, is_new] = sources.try_emplace(stage, i);
      taken = taken || is_new;
      if (is_new) continue;
      const std::string why = difference(stages_of(stages[known->second]).at(stage), parameters);
      if (!why.empty())
        fail(
            ErrorCode::kInvalidArgument,
            "strategies {} and {} of those to be merged both say how pipeline stage {} is cut, but "
            "differently: {}",
            known->second + 1, i + 1, stage, why);
    }
    if (!taken) continue;
    const auto is_mine = [&](const auto& one) {
      const auto source = sources.find(one.stage);
      return source != sources.end() && source->second == i;
    };
    std::copy_if(stages[i].parameters.begin(), stages[i].parameters.end(),
                 std::back_inserter(merged.parameters), is_mine);
    std::copy_if(stages[i].operators.begin(), stages[i].operators.end(),
                 std::back_inserter(merged.operators), is_mine);
    merged.stage_count = std::max(merged.stage_count, stages[i].stage_count);
    if (merged.ranks_per_stage == 1) merged.ranks_per_stage = stages[i].ranks_per_stage;
    require(stages[i].ranks_per_stage == 1 || stages[i].ranks_per_stage == merged.ranks_per_stage,
            "strategy {} of those to be merged is for {} ranks per stage, those before it for {}",
            i + 1, stages[i].ranks_per_stage, merged.ranks_per_stage);
  }
  const std::string missing = missing_stages(sources, merged.stage_count);
  require(missing.empty(),
          "the strategies to be merged are of {} of {} pipeline stages; missing: {}",
          sources.size(), merged.stage_count, missing);
  const auto by_stage = [](const auto& a, const auto& b) { return a.stage < b.stage; };
  std::stable_sort(merged.parameters.begin(), merged.parameters.end(), by_stage);
  std::stable_sort(merged.operators.begin(), merged.operators.end(), by_stage);
  index_parameters(merged);
  return merged;
}

}  // namespace tessera
