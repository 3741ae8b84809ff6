// From a strategy to what MindSpore's files can say of it.
#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategies/internal/mindspore_items.h"

namespace tessera::internal {
namespace {

/// Refuses to write `parameter` and says what can hold it.
template <typename... Args>
[[noreturn]] void refuse(const ParameterLayout& parameter, std::string_view format,
                         fmt::format_string<Args...> why, Args&&... args) {
  fail(ErrorCode::kUnsupported, "'{}' {}, which {} cannot express; write layouts.txt instead",
       printable(parameter.name), fmt::format(why, std::forward<Args>(args)...), format);
}

void refuse_what_has_no_place(const ParameterLayout& parameter, std::string_view format) {
  const Layout& layout = parameter.layout;
  if (parameter.is_pattern) refuse(parameter, format, "is a pattern");
  if (parameter.any_ndim) refuse(parameter, format, "has any number of dims");
  if (!layout.partial.empty())
    refuse(parameter, format, "holds partial values ({})", to_string(layout));
  if (!layout.mesh->ranks.empty())
    refuse(parameter, format, "has ranks in an order of its own ({})", to_string(*layout.mesh));
  if (layout.mesh->rank_count() == 1)
    refuse(parameter, format, "lies on one device ({})", to_string(*layout.mesh));
}

/// Extents that the parts do not divide, where the shape is known.
void refuse_uneven(const ParameterLayout& parameter, std::string_view format) {
  if (!parameter.shape) return;
  const Layout layout = full_layout(parameter);
  for (size_t d = 0; d < layout.dims.size(); ++d) {
    const int64_t parts = part_count(layout, d);
    if (d == 0 && !parameter.split_rows.empty()) continue;
    if ((*parameter.shape)[d] % parts != 0)
      refuse(parameter, format, "cuts the {} elements of dim {} into {} uneven parts",
             (*parameter.shape)[d], d, parts);
  }
}

/// The distance between neighbours of the ranks that hold the same part, as MindSpore stores it.
int step_of(const ParameterLayout& parameter, std::string_view format) {
  const std::vector<Rank> group = replica_group(parameter.layout, 0);
  const int count = static_cast<int>(group.size());
  if (count < 2) refuse(parameter, format, "cuts what no two ranks hold by optimizer sharding");
  return (group.back() - group.front()) / (count - 1);
}

/// Whether one stage's own file says everything: MindSpore then puts no stage before the names.
bool fits_one_stage(const Strategy& strategy) {
  const int stage = strategy.stage_count - 1;
  const auto is_here = [&](const auto& one) { return one.stage == stage; };
  if (!std::all_of(strategy.parameters.begin(), strategy.parameters.end(), is_here)) return false;
  if (!std::all_of(strategy.operators.begin(), strategy.operators.end(), is_here)) return false;
  if (stage > 0 && strategy.operators.empty()) return false;
  // Names that look as if a stage stood before them are told apart by one that does.
  return !std::all_of(strategy.parameters.begin(), strategy.parameters.end(),
                      [](const ParameterLayout& one) { return begins_with_stage(one.name); });
}

MindSporeLayout to_item(const ParameterLayout& parameter, std::string_view format, bool nested) {
  refuse_what_has_no_place(parameter, format);
  refuse_uneven(parameter, format);
  const TensorMap map = to_tensor_map(parameter.layout);
  MindSporeLayout item;
  item.name = parameter.name;
  item.device_matrix.assign(map.device_matrix.begin(), map.device_matrix.end());
  for (const std::vector<int>& dim : map.dims) {
    if (dim.size() > 1 && !nested)
      refuse(parameter, format, "cuts one dim by several device dims ({})",
             to_string(parameter.layout));
    item.tensor_map.emplace_back(dim.begin(), dim.end());
    if (dim.empty()) item.tensor_map.back().push_back(-1);
  }
  item.split_rows = parameter.split_rows;
  item.row_offsets = parameter.row_offsets;
  item.field = parameter.field;
  item.optimizer_size = parameter.optimizer_size;
  item.optimizer_step = parameter.optimizer_step;
  if (item.optimizer_size != 0 && item.optimizer_step == 0)
    item.optimizer_step = step_of(parameter, format);
  item.shape = parameter.shape;
  return item;
}

}  // namespace

MindSporeItems from_strategy(const Strategy& strategy, std::string_view format, bool nested) {
  const bool one_stage = fits_one_stage(strategy);
  MindSporeItems items;
  items.current_stage = strategy.current_stage;
  items.operators = strategy.operators;
  for (const ParameterLayout& parameter : strategy.parameters) {
    MindSporeLayout& item = items.layouts.emplace_back(to_item(parameter, format, nested));
    if (!one_stage) item.name = fmt::format("{}-{}", parameter.stage, parameter.name);
  }
  return items;
}

}  // namespace tessera::internal
