#include "tessera/model/predict_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tessera/base/text.h"
#include "tessera/model/spread.h"
#include "tessera/passes/operator_strategy.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

/// The axis name without what follows its point: "d0" of "d0.1".
std::string_view stem(std::string_view name) {
  return name.substr(0, name.find('.'));
}

/// The layout in MindSpore's device matrix, over ranks from 0 on: the dims that stand for the rows
/// of one dense (d0.0, d0.1, …) are one where nothing is cut by them.
Layout in_device_matrix(const Layout& layout, std::string_view name) {
  if (layout.mesh->all_ranks() != layout.mesh->sorted_ranks())
    fail(ErrorCode::kUnsupported,
         "'{}' lies on {}: a device matrix cannot say that its ranks have another order",
         printable(name), to_string(*layout.mesh));
  std::vector<bool> cuts(layout.mesh->axes.size(), false);
  for (const auto& dim : layout.dims)
    for (const AxisId axis : dim) cuts[at(axis)] = true;
  std::vector<MeshAxis> axes;
  std::vector<AxisId> renumbered;
  for (size_t a = 0; a < layout.mesh->axes.size(); ++a) {
    const MeshAxis& axis = layout.mesh->axes[a];
    const bool joins = a > 0 && axis.name.find('.') != std::string::npos && !cuts[a] &&
                       !cuts[a - 1] && stem(axis.name) == stem(layout.mesh->axes[a - 1].name);
    if (joins)
      axes.back().size *= axis.size;
    else
      axes.push_back(axis);
    renumbered.push_back(static_cast<AxisId>(axes.size()) - 1);
  }
  Layout made{make_mesh(std::move(axes)), layout.dims, {}};
  for (auto& dim : made.dims)
    for (AxisId& axis : dim) axis = renumbered[at(axis)];
  return made;
}

/// A form of a value: the first one, or for an input of the 1.1 tuple that of its first reader.
const Layout& layout_in(const Placed& placed, ValueId id, bool as_read) {
  if (!as_read) return placed.layout(id);
  for (size_t n = 0; n < placed.graph.nodes.size(); ++n)
    for (size_t i = 0; i < placed.graph.nodes[n].operands.size(); ++i)
      if (placed.graph.nodes[n].operands[i] == id)
        return placed.forms[at(id)][at(placed.nodes[n].operand_forms[i])].layout;
  return placed.layout(id);
}

/// Parameters as the nodes read them; those that nothing reads come last.
std::vector<ValueId> parameters_as_read(const Graph& graph) {
  const std::set<ValueId> parameters(graph.parameters.begin(), graph.parameters.end());
  std::vector<ValueId> order;
  std::set<ValueId> seen;
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.operands)
      if (parameters.count(id) != 0 && seen.insert(id).second) order.push_back(id);
  for (const ValueId id : graph.parameters)
    if (seen.insert(id).second) order.push_back(id);
  return order;
}

/// Moving means and variances: operands 3 and 4 of batch_norm.
std::set<ValueId> not_trained(const Graph& graph) {
  constexpr size_t kMean = 3;
  std::set<ValueId> found;
  for (const Node& node : graph.nodes)
    if (node.op->name == "batch_norm")
      for (size_t i = kMean; i < node.operands.size(); ++i) found.insert(node.operands[i]);
  return found;
}

template <typename Numbers>
std::string list(const Numbers& numbers) {
  return fmt::format("[{}]", fmt::join(numbers, ", "));
}

/// One entry per device dim that cuts, -1 for a dim that is whole.
std::vector<int> flat_map(const TensorMap& map) {
  std::vector<int> flat;
  for (const std::vector<int>& dim : map.dims) {
    flat.insert(flat.end(), dim.begin(), dim.end());
    if (dim.empty()) flat.push_back(-1);
  }
  return flat;
}

/// The slice of the tensor whose nested dims are dims of their own.
std::vector<int64_t> flat_slice(const InferredLayout& one) {
  std::vector<int64_t> slice;
  for (size_t d = 0; d < one.slice.size(); ++d) {
    for (size_t more = 1; more < one.layout.dims[d].size(); ++more) slice.push_back(1);
    slice.push_back(one.slice[d]);
  }
  return slice;
}

std::string tuple_text(const InferredLayout& one, TupleForm form) {
  const TensorMap map = to_tensor_map(one.layout);
  std::string text = fmt::format("[{}, {}, {}, 0, true, \"\"", list(map.device_matrix),
                                 list(flat_map(map)), list(one.slice));
  if (form == TupleForm::k2_10)
    text += fmt::format(", {}, {}, false, false, 0, 0", list(one.shape), list(flat_slice(one)));
  return text + "]";
}

InferredLayout inferred(const Placed& placed, ValueId id, const Layout& layout, Rank rank) {
  const ValueInfo& value = placed.graph.values[at(id)];
  InferredLayout made;
  made.name = value.name;
  made.stage = layout.mesh->sorted_ranks().front() / layout.mesh->rank_count();
  const auto uncut = placed.uncut.find(id);
  if (uncut != placed.uncut.end()) {
    made.optimizer_step = uncut->second.step;
    made.optimizer_size = uncut->second.size;
  }
  made.layout =
      in_device_matrix(uncut == placed.uncut.end() ? layout : uncut->second.layout, value.name);
  made.shape = value.shape;
  made.slice = local_box(layout, value.shape, rank).size;
  return made;
}

}  // namespace

TupleForm parse_tuple_form(std::string_view text) {
  require(text == "2.10" || text == "1.1", "'{}' is no form of predict layouts; wanted 2.10 or 1.1",
          printable(text));
  return text == "1.1" ? TupleForm::k1_1 : TupleForm::k2_10;
}

std::vector<InferredLayout> infer_predict_layout(const Graph& network,
                                                 const AutoParallelContext& context,
                                                 TupleForm form) {
  require(context.parallel_mode == ParallelMode::kSemiAutoParallel ||
              context.parallel_mode == ParallelMode::kAutoParallel,
          "a predict layout is inferred in semi_auto_parallel or auto_parallel only");
  const RunOptions options = run_options(context);
  const Placed placed = place_network(network, options);
  save_strategy(placed, context);
  return inferred_layouts(placed, context.global_rank.value_or(0), form);
}

std::vector<InferredLayout> infer_predict_layout(const ModelSpec& spec, int64_t rows,
                                                 const Shape& row_shape,
                                                 const AutoParallelContext& context,
                                                 TupleForm form) {
  return infer_predict_layout(trace(spec, rows, row_shape), context, form);
}

void save_strategy(const Placed& placed, const AutoParallelContext& context) {
  if (context.strategy_ckpt_save_file.empty()) return;
  write_strategy(strategy_of(placed, context.only_trainable_params),
                 context.strategy_ckpt_save_file);
}

std::vector<InferredLayout> inferred_layouts(const Placed& placed, Rank rank, TupleForm form) {
  std::vector<InferredLayout> made;
  for (const ValueId id : placed.graph.inputs) {
    const Layout& layout = layout_in(placed, id, form == TupleForm::k1_1);
    if (!layout.mesh->find_place(rank)) continue;
    made.push_back(inferred(placed, id, layout, rank));
    made.back().is_input = true;
  }
  const std::set<ValueId> kept = not_trained(placed.graph);
  for (const ValueId id : parameters_as_read(placed.graph)) {
    const Layout& layout = placed.layout(id);
    if (!layout.mesh->find_place(rank)) continue;
    made.push_back(inferred(placed, id, layout, rank));
    made.back().is_trained = kept.count(id) == 0;
  }
  return made;
}

bool is_nested(const InferredLayout& layout) {
  return std::any_of(layout.layout.dims.begin(), layout.layout.dims.end(),
                     [](const auto& dim) { return dim.size() > 1; });
}

std::string to_json(std::span<const InferredLayout> layouts, TupleForm form) {
  std::vector<std::string> lines;
  for (const InferredLayout& one : layouts)
    lines.push_back(fmt::format("  \"{}\": {}", json_escape(one.name), tuple_text(one, form)));
  return lines.empty() ? "{}\n" : "{\n" + join(lines, ",\n") + "\n}\n";
}

PredictStrategy to_predict_strategy(std::span<const InferredLayout> layouts) {
  PredictStrategy strategy;
  for (const InferredLayout& one : layouts) {
    if (one.is_input) continue;
    TensorMap map = to_tensor_map(one.layout);
    strategy[one.name] = {std::move(map.device_matrix), std::move(map.dims), one.slice, 0};
  }
  return strategy;
}

Strategy strategy_of(const Placed& placed, bool only_trained) {
  Strategy made;
  made.format = "mindspore protobuf";
  made.current_stage = 2;  // what MindSpore writes first
  const int ranks = placed.mesh->rank_count();
  for (Rank rank = 0; rank < ranks; rank += made.ranks_per_stage) {
    const std::vector<InferredLayout> layouts = inferred_layouts(placed, rank);
    if (layouts.empty()) fail(ErrorCode::kInternal, "rank {} has no parameters", rank);
    made.ranks_per_stage = layouts.front().layout.mesh->rank_count();
    for (const InferredLayout& one : layouts) {
      if (one.is_input || (only_trained && !one.is_trained)) continue;
      ParameterLayout parameter;
      parameter.name = one.name;
      parameter.stage = one.stage;
      parameter.layout = one.layout;
      parameter.optimizer_step = one.optimizer_step;
      parameter.optimizer_size = one.optimizer_size;
      parameter.shape = one.shape;
      made.parameters.push_back(std::move(parameter));
    }
  }
  made.stage_count = ranks / made.ranks_per_stage;
  for (OperatorPieces& op : operators_of(placed))
    made.operators.push_back({std::move(op.name), op.stage, std::move(op.pieces)});
  index_parameters(made);
  return made;
}

}  // namespace tessera
