#include "tessera/checkpoint/strategy.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/strategy_form.h"

namespace tessera {

#define TESSERA_FILE(name) const StrategyForm& strategy_##name();
#include "tessera/checkpoint_strategies_files.inc"
#undef TESSERA_FILE

std::span<const StrategyForm* const> all_strategy_forms() {
  static const StrategyForm* const kForms[] = {
#define TESSERA_FILE(name) &strategy_##name(),
#include "tessera/checkpoint_strategies_files.inc"
#undef TESSERA_FILE
  };
  return kForms;
}

namespace {

constexpr uint64_t kMostBytes = uint64_t{64} << 20;

bool precedes(const ParameterLayout& a, std::string_view name, int stage) {
  const int order = std::string_view(a.name).compare(name);
  return order != 0 ? order < 0 : a.stage < stage;
}

}  // namespace

bool Strategy::operator==(const Strategy& other) const {
  return format == other.format && stage_count == other.stage_count &&
         ranks_per_stage == other.ranks_per_stage && current_stage == other.current_stage &&
         parameters == other.parameters && operators == other.operators;
}

void index_parameters(Strategy& strategy) {
  const std::vector<ParameterLayout>& all = strategy.parameters;
  strategy.index = {};
  for (uint32_t i = 0; i < all.size(); ++i)
    (all[i].is_pattern ? strategy.index.patterns : strategy.index.by_name).push_back(i);
  std::stable_sort(
      strategy.index.by_name.begin(), strategy.index.by_name.end(),
      [&](uint32_t a, uint32_t b) { return precedes(all[a], all[b].name, all[b].stage); });
  strategy.index.indexed = all.size();
}

const ParameterLayout* Strategy::find(std::string_view name, int stage) const {
  const auto is_it = [&](const ParameterLayout& one) {
    return one.stage == stage && (one.is_pattern ? matches(one.name, name) : one.name == name);
  };
  if (index.indexed != parameters.size()) {
    const auto found = std::find_if(parameters.begin(), parameters.end(), is_it);
    return found != parameters.end() ? &*found : nullptr;
  }
  size_t first = parameters.size();
  const auto found = std::lower_bound(
      index.by_name.begin(), index.by_name.end(), name,
      [&](uint32_t i, std::string_view wanted) { return precedes(parameters[i], wanted, stage); });
  if (found != index.by_name.end() && is_it(parameters[*found])) first = *found;
  for (const uint32_t i : index.patterns) {
    if (i > first) break;
    if (is_it(parameters[i])) return &parameters[i];
  }
  return first < parameters.size() ? &parameters[first] : nullptr;
}

bool Strategy::names(std::string_view name) const {
  for (int stage = 0; stage < stage_count; ++stage)
    if (find(name, stage) != nullptr) return true;
  return false;
}

namespace {

/// Checks one layout; `several` is the first parameter on more than one rank, or null.
void check_layout(const ParameterLayout& parameter, const ParameterLayout* several) {
  const Layout& layout = parameter.layout;
  const std::string name = printable(parameter.name);
  require_valid(layout.mesh != nullptr, "the layout of '{}' has no mesh", name);
  validate(layout, layout.dims.size());
  const int count = layout.mesh->rank_count();
  if (several != nullptr && count > 1 && several->layout.mesh->rank_count() != count)
    fail(ErrorCode::kCorruptData,
         "'{}' lies on the {} ranks of {} but '{}' on the {} ranks of {}; all parameters of a "
         "pipeline stage have the same ranks",
         printable(several->name), several->layout.mesh->rank_count(),
         to_string(*several->layout.mesh), name, count, to_string(*layout.mesh));
  for (const Rank rank : layout.mesh->ranks)
    require_valid(rank < count,
                  "the mesh {} of '{}' has rank {}; the ranks of a stage count from 0 to {}",
                  to_string(*layout.mesh), name, rank, count - 1);
  require_valid(parameter.optimizer_size >= -1 && parameter.optimizer_step >= 0,
                "'{}' has an optimizer sharding of {} parts and a step of {}", name,
                parameter.optimizer_size, parameter.optimizer_step);
}

void require_distinct_names(const Strategy& strategy) {
  const std::vector<ParameterLayout>& all = strategy.parameters;
  std::vector<uint32_t> order(all.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return precedes(all[a], all[b].name, all[b].stage); });
  const auto twice = std::adjacent_find(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return all[a].name == all[b].name && all[a].stage == all[b].stage &&
           all[a].is_pattern == all[b].is_pattern;
  });
  if (twice != order.end())
    fail(ErrorCode::kCorruptData, "'{}' has two layouts in pipeline stage {}",
         printable(all[*twice].name), all[*twice].stage);
}

/// Everything but that each stage has parameters, which one stage's own file does not give.
void check_parts(const Strategy& strategy) {
  require_valid(!strategy.parameters.empty(), "the strategy has no parameter");
  require_valid(strategy.stage_count >= 1 && strategy.stage_count <= 1 << 16,
                "the strategy has {} pipeline stages", strategy.stage_count);
  const ParameterLayout* several = nullptr;
  for (const ParameterLayout& parameter : strategy.parameters) {
    check_layout(parameter, several);
    if (several == nullptr && parameter.layout.mesh->rank_count() > 1) several = &parameter;
    require_valid(parameter.stage >= 0 && parameter.stage < strategy.stage_count,
                  "'{}' is in pipeline stage {} of {}", printable(parameter.name), parameter.stage,
                  strategy.stage_count);
  }
  const int ranks = several != nullptr ? several->layout.mesh->rank_count() : 1;
  require_valid(strategy.ranks_per_stage == ranks,
                "the strategy says {} ranks per stage but '{}' lies on {}",
                strategy.ranks_per_stage,
                printable((several != nullptr ? *several : strategy.parameters[0]).name), ranks);
  require_valid(int64_t{ranks} * strategy.stage_count <= 1 << 24,
                "{} stages of {} ranks are more than {} ranks", strategy.stage_count, ranks,
                1 << 24);
  require_distinct_names(strategy);
}

}  // namespace

void validate(const Strategy& strategy) {
  check_parts(strategy);
  std::vector<bool> has(static_cast<size_t>(strategy.stage_count), false);
  for (const ParameterLayout& parameter : strategy.parameters)
    has[static_cast<size_t>(parameter.stage)] = true;
  for (size_t stage = 0; stage < has.size(); ++stage)
    require_valid(has[stage],
                  "no parameter is in pipeline stage {} of {}, the first one, '{}', is in stage "
                  "{}: merge the strategies of all stages with 'tessera merge-strategies'",
                  stage, has.size(), printable(strategy.parameters[0].name),
                  strategy.parameters[0].stage);
}

namespace {

const StrategyForm& form_of(const std::filesystem::path& path, std::string_view content) {
  const std::string_view head = content.substr(0, StrategyForm::kHeadBytes);
  for (const StrategyForm* form : all_strategy_forms())
    if (form->recognizes(head)) return *form;
  const Probe probe{path, content.size(), std::string(head.substr(0, Probe::kHeadBytes))};
  for (const CheckpointFormat* format : all_formats())
    require_valid(!format->recognizes(probe),
                  "this is a checkpoint ({}), not a strategy file: it does not say how its tensors "
                  "were cut; 'tessera inspect' lists what it holds",
                  format->name());
  std::vector<std::string> names;
  for (const StrategyForm* form : all_strategy_forms()) {
    // The name says what the content does not: the reader then says where it stops making sense.
    if (path.extension() == form->suffix() && form->suffix() != ".ckpt") return *form;
    names.emplace_back(form->name());
  }
  fail(ErrorCode::kCorruptData,
       "the content is of no strategy form that is known ({}); it begins with '{}'",
       join(names, ", "), printable(head.substr(0, 32)));
}

}  // namespace

Strategy read_strategy(const std::filesystem::path& path, const FileSystem& files) {
  const ErrorContext context([&] { return "reading the strategy " + printable(path.string()); });
  const std::unique_ptr<RandomAccessFile> file = files.open(path);
  require_valid(file->size() > 0, "the file is empty");
  if (file->size() > kMostBytes)
    fail(ErrorCode::kUnsupported, "the file has {}; a strategy has at most {}",
         human_bytes(file->size()), human_bytes(kMostBytes));
  std::string content(file->size(), '\0');
  file->read(0, std::as_writable_bytes(std::span(content)));
  Strategy strategy = form_of(path, content).read(content);
  check_parts(strategy);
  index_parameters(strategy);
  return strategy;
}

void write_strategy(const Strategy& strategy, const std::filesystem::path& path,
                    FileSystem& files) {
  const ErrorContext context([&] { return "writing the strategy " + printable(path.string()); });
  check_parts(strategy);
  const StrategyForm* chosen = nullptr;
  for (const StrategyForm* form : all_strategy_forms())
    if (form->suffix() == path.extension()) chosen = form;
  for (const StrategyForm* form : all_strategy_forms())
    if (chosen == nullptr && form->suffix() == ".ckpt") chosen = form;
  const std::string content = chosen->write(strategy);
  AtomicFile file(files, path);
  file.file().append(std::as_bytes(std::span(content)));
  file.commit();
}

bool looks_like_strategy(std::string_view head) {
  const std::span<const StrategyForm* const> forms = all_strategy_forms();
  return std::any_of(forms.begin(), forms.end(), [&](const StrategyForm* form) {
    return form->recognizes(head.substr(0, StrategyForm::kHeadBytes));
  });
}

}  // namespace tessera
