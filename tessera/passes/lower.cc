#include "tessera/passes/lower.h"

#include <fmt/format.h>

#include "tessera/ops/registry.h"
#include "tessera/passes/internal/rewriter.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

std::string_view op_of(StepKind kind) {
  switch (kind) {
    case StepKind::kSlice:
      return "cut";
    case StepKind::kAllGather:
      return "all_gather";
    case StepKind::kAllToAll:
      return "all_to_all";
    case StepKind::kReduceScatter:
      return "reduce_scatter";
    case StepKind::kAllReduce:
      return "all_reduce";
    case StepKind::kSendReceive:
    case StepKind::kExchange:
      return "exchange";
  }
  return "exchange";
}

bool has(const Layout& layout, Rank rank) {
  return layout.mesh->find_place(rank).has_value();
}

Box box_in(const Layout& layout, const Shape& global, Rank rank) {
  if (has(layout, rank)) return local_box(layout, global, rank);
  return {Shape(global.size(), 0), Shape(global.size(), 0)};
}

class Lowering {
 public:
  Lowering(const Placed& placed, Rank rank)
      : placed_(placed),
        rank_(rank),
        forms_(placed.graph.values.size()),
        early_(placed.graph.nodes.size()),
        known_(internal::known_values(placed.graph)) {
    for (size_t id = 0; id < forms_.size(); ++id) {
      forms_[id].assign(placed.forms[id].size(), -1);
      for (size_t f = 0; f < placed.forms[id].size(); ++f)
        if (placed.forms[id][f].is_early)
          early_[placed.forms[id][f].before].push_back(
              {static_cast<ValueId>(id), static_cast<int>(f)});
    }
  }

  Graph run() {
    const Graph& graph = placed_.graph;
    for (const ValueId id : graph.inputs) made_.inputs.push_back(declare(id));
    for (const ValueId id : graph.parameters)
      if (has(placed_.layout(id), rank_)) made_.parameters.push_back(declare(id));
    for (const auto& [id, tensor] : graph.constants) {
      if (!has(placed_.layout(id), rank_)) continue;
      const Box box = local_box(placed_.layout(id), value(id).shape, rank_);
      made_.constants.emplace(declare(id), tensor.slice(box).contiguous());
    }
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      for (const auto& [id, number] : early_[n]) form(id, number, n);
      add_node(n);
    }
    for (size_t i = 0; i < graph.outputs.size(); ++i)
      made_.outputs.push_back(form(graph.outputs[i], placed_.output_forms[i], graph.nodes.size()));
    for (size_t i = 0; i < graph.updates.size(); ++i) {
      const auto [parameter, value] = graph.updates[i];
      const ValueId updated = form(value, placed_.update_forms[i], graph.nodes.size());
      if (has(placed_.layout(parameter), rank_))
        made_.updates.push_back({forms_[at(parameter)][0], updated});
    }
    return std::move(made_);
  }

 private:
  const ValueInfo& value(ValueId id) const { return placed_.graph.values[at(id)]; }

  ValueId append(std::string name, ValueId of, const Box& box) {
    const ValueInfo& info = value(of);
    ValueInfo made{std::move(name), info.dtype, info.shape};
    if (box.size != info.shape) made.box = box;
    made_.values.push_back(std::move(made));
    return static_cast<ValueId>(made_.values.size() - 1);
  }

  ValueId declare(ValueId id) {
    const ValueId made =
        append(value(id).name, id, box_in(placed_.layout(id), value(id).shape, rank_));
    forms_[at(id)][0] = made;
    return made;
  }

  void add_node(size_t n) {
    const Node& node = placed_.graph.nodes[n];
    const PlacedNode& placed = placed_.nodes[n];
    // All ranks walk through the forms that this node needs: collectives of other ranks' nodes may
    // need what is here.
    std::vector<ValueId> operands;
    for (size_t i = 0; i < node.operands.size(); ++i)
      operands.push_back(form(node.operands[i], placed.operand_forms[i], n));
    if (!has(placed.results[0], rank_)) return;
    Node made = node;
    made.sharding.clear();
    made.operands = std::move(operands);
    for (ValueId& result : made.results) result = declare(result);
    made_.nodes.push_back(std::move(made));
  }

  /// The value of a form, with the steps that lead to it; -1 where this rank has no part in it.
  ValueId form(ValueId id, int number, size_t before) {
    ValueId& known = forms_[at(id)][at(number)];
    const Form& wanted = placed_.forms[at(id)][at(number)];
    if (known >= 0 || wanted.from < 0) return known;
    ValueId current = form(id, wanted.from, before);
    const Layout* layout = &wanted.plan.from;
    for (size_t s = 0; s < wanted.plan.steps.size(); ++s) {
      const Step& step = wanted.plan.steps[s];
      current = add_step(id, current, *layout, step);
      layout = &step.after;
    }
    known = current;
    return known;
  }

  ValueId add_step(ValueId id, ValueId current, const Layout& before, const Step& step) {
    const bool here_after = has(step.after, rank_);
    if (!has(before, rank_) && !here_after) return -1;
    if (current < 0) current = nothing_of(id);
    Node node;
    node.op = &require_op(op_of(step.kind));
    node.operands = {current};
    Attrs attrs = {{"before", to_string(before)}, {"after", to_string(step.after)}};
    attrs.emplace("every_run", !known_[at(id)]);
    if (step.axis >= 0) attrs.emplace("axis", before.mesh->axes[at(step.axis)].name);
    node.attrs = complete_attrs(*node.op, std::move(attrs));
    node.results = {append(fmt::format("{}.{}", value(id).name, ++steps_[id]), id,
                           box_in(step.after, value(id).shape, rank_))};
    made_.nodes.push_back(node);
    return node.results[0];
  }

  /// No elements of a value: what a rank hands in that only receives.
  ValueId nothing_of(ValueId id) {
    const Shape none(value(id).shape.size(), 0);
    const ValueId made =
        append(fmt::format("{}.none{}", value(id).name, steps_[id]), id, {none, none});
    made_.constants.emplace(made, Tensor(value(id).dtype, none));
    return made;
  }

  const Placed& placed_;
  Rank rank_;
  Graph made_;
  std::vector<std::vector<ValueId>> forms_;  // per value and form its value in the local graph
  /// Per node the values and their forms that are made before it for later nodes.
  std::vector<std::vector<std::pair<ValueId, int>>> early_;
  std::vector<bool> known_;       // per value: it is the same in every run
  std::map<ValueId, int> steps_;  // per value how many steps have been added
};

}  // namespace

Graph lower(const Placed& placed, Rank rank) {
  require(has({placed.mesh, {}, {}}, rank), "there is no rank {} in {}", rank,
          to_string(*placed.mesh));
  Graph graph = Lowering(placed, rank).run();
  verify(graph);
  return graph;
}

Box part_of(const Placed& placed, ValueId value, Rank rank) {
  return box_in(placed.layout(value), placed.graph.values[at(value)].shape, rank);
}

}  // namespace tessera
