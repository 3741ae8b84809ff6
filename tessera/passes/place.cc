#include "tessera/passes/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "tessera/base/text.h"
#include "tessera/passes/gradients.h"
#include "tessera/passes/internal/batch_parallel.h"
#include "tessera/passes/internal/choose.h"
#include "tessera/passes/internal/given.h"
#include "tessera/passes/internal/rewriter.h"
#include "tessera/passes/internal/stages.h"
#include "tessera/passes/shard.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

bool is_floating(DType dtype) {
  return info(dtype).is_floating;
}

class Placer {
 public:
  Placer(const Graph& graph, const PlaceOptions& options)
      : options_(options), stages_(graph, options), plans_(options.costs) {
    placed_.graph = graph;
    placed_.mesh = stages_.everyone();
    placed_.network = options.network;
    placed_.network.resize(graph.nodes.size(), options.network.empty());
    placed_.forms.resize(graph.values.size());
    is_free_.resize(graph.values.size(), false);
    is_parameter_.resize(graph.values.size(), false);
    for (const ValueId id : graph.parameters) is_parameter_[at(id)] = true;
    producers_ = internal::producers(graph);
  }

  Placed run() {
    const Graph& graph = placed_.graph;
    for (const ValueId id : graph.inputs)
      fix(id, internal::layout_of_input(graph, id, options_, stages_));
    for (const ValueId id : graph.parameters) place_parameter(id);
    for (const auto& [id, tensor] : graph.constants) set_free(id);
    for (size_t n = 0; n < graph.nodes.size(); ++n) place_node(n);
    for (size_t id = 0; id < is_free_.size(); ++id)
      if (is_free_[id]) fix(static_cast<ValueId>(id), replicated_on(stages_.first(), id));
    if (options_.deterministic) load_where_read();
    for (const ValueId id : graph.outputs) place_output(id);
    for (const Update& update : graph.updates)
      placed_.update_forms.push_back(
          form_in(update.value, placed_.layout(update.parameter), graph.nodes.size()));
    return std::move(placed_);
  }

 private:
  /// What a node that says how it is sharded wants of a parameter.
  struct Wanted {
    size_t node = 0;
    Layout layout;
  };

  const ValueInfo& value(ValueId id) const { return placed_.graph.values[at(id)]; }
  std::vector<Form>& forms(ValueId id) { return placed_.forms[at(id)]; }
  Layout replicated_on(const MeshPtr& mesh, size_t id) const {
    return replicated(mesh, placed_.graph.values[id].shape.size());
  }

  void fix(ValueId id, Layout layout) {
    is_free_[at(id)] = false;
    Form form;
    form.layout = std::move(layout);
    forms(id) = {std::move(form)};
  }
  void set_free(ValueId id) { is_free_[at(id)] = true; }

  /// Of a parameter or constant.
  void fix_held(ValueId id, const Layout& layout) {
    std::optional<FurtherCut> cut;
    if (options_.cut_further != nullptr && is_parameter_[at(id)])
      cut = options_.cut_further(value(id), layout);
    if (cut) placed_.uncut[id] = {layout, cut->step, cut->size};
    fix(id, cut ? cut->layout : layout);
  }

  void place_parameter(ValueId id) {
    if (auto layout = internal::layout_of_parameter(placed_.graph, id, options_, stages_))
      fix_held(id, *layout);
    else
      set_free(id);
  }

  void place_node(size_t n) {
    const Node& node = placed_.graph.nodes[n];
    const ErrorContext context([&] { return describe(node); });
    const std::vector<TensorType> types = placed_.graph.types(node.operands);
    const OpCall call{types, {}, node.attrs, {}};
    const ShardingRule rule = rule_of(*node.op, call);
    const RuleLayouts layouts = wanted(n, rule, types);
    PlacedNode& out = placed_.nodes.emplace_back();
    for (size_t i = 0; i < node.operands.size(); ++i)
      out.operand_forms.push_back(form_in(node.operands[i], layouts.operands[i], n));
    for (size_t r = 0; r < node.results.size(); ++r) {
      fix(node.results[r], layouts.results[r]);
      out.results.push_back(layouts.results[r]);
    }
  }

  std::string describe(const Node& node) const {
    std::string operands;
    for (const ValueId id : node.operands) {
      operands += fmt::format("{}{} {}", operands.empty() ? "" : ", ", value(id).name,
                              to_string(placed_.graph.type(id)));
      if (!placed_.forms[at(id)].empty()) operands += " " + dims_to_string(placed_.layout(id));
    }
    return fmt::format("placing {} '{}'{}{} of {}", node.op->name, value(node.results[0]).name,
                       node.scope.empty() ? "" : " in ", node.scope, operands);
  }

  RuleLayouts wanted(size_t n, const ShardingRule& rule, const std::vector<TensorType>& types) {
    const Node& node = placed_.graph.nodes[n];
    const MeshPtr& stage = stages_.of_node(n);
    const bool whole_sums = options_.deterministic && is_floating(types[0].dtype);
    if (auto said = said_by(n, rule, stage)) {
      note_wanted(n, *said);
      return whole_sums ? without_partial_sums(rule, *said, types) : *said;
    }
    if (auto sums = still_partial(n, stage)) return *sums;
    internal::Question question{rule, stage, {}, goals(n), whole_sums};
    for (size_t i = 0; i < types.size(); ++i)
      question.operands.push_back(present(node.operands[i], stage, n));
    question.mesh = mesh_of(question.operands, stage);
    for (const ValueId id : node.operands)
      if (!placed_.network[n] && is_kept_cut(id)) question.mesh = placed_.layout(id).mesh;
    std::string key = to_string(rule) + to_string(*question.mesh) + (whole_sums ? "!" : "");
    for (const internal::Present& operand : question.operands)
      key += operand.is_free ? "|free" : "|" + to_string(operand.layout);
    for (const std::optional<Layout>& goal : question.goals)
      key += goal ? ">" + to_string(*goal) : ">";
    key += fmt::format("{}", question.operands[0].element_bytes);
    const auto known = choices_.find(key);
    if (known != choices_.end()) return known->second;
    return choices_.emplace(std::move(key), internal::choose(question, plans_).layouts)
        .first->second;
  }

  /// Gradients are wanted where the values lie of which they are.
  std::vector<std::optional<Layout>> goals(size_t n) const {
    std::vector<std::optional<Layout>> goals;
    if (placed_.network[n]) return goals;
    for (const ValueId id : placed_.graph.nodes[n].results) {
      std::optional<Layout>& goal = goals.emplace_back();
      const auto of = value_of_gradient(placed_.graph, value(id).name);
      if (!of || placed_.forms[at(*of)].empty() || value(*of).shape != value(id).shape) continue;
      const auto uncut = placed_.uncut.find(*of);
      goal = uncut == placed_.uncut.end() ? placed_.layout(*of) : uncut->second.layout;
      goal->partial.clear();
      goal = as_on(*goal, stages_.of_node(n));
    }
    return goals;
  }

  /// In a backward pass sums of partial sums, and their products with a number, stay partial: the
  /// gradients of micro-batches are added up before the ranks add up theirs.
  std::optional<RuleLayouts> still_partial(size_t n, const MeshPtr& stage) {
    const Node& node = placed_.graph.nodes[n];
    const std::string_view op = node.op->name;
    if (placed_.network[n] || (op != "add" && op != "mul" && op != "div")) return std::nullopt;
    const auto partial_sum = [&](ValueId id) -> const Layout* {
      if (forms(id).size() != 1) return nullptr;
      const Layout& layout = forms(id).front().layout;
      const bool sums = !layout.partial.empty() &&
                        std::all_of(layout.partial.begin(), layout.partial.end(),
                                    [](const Partial& p) { return p.op == ReduceOp::kSum; });
      return sums && internal::same_ranks(*layout.mesh, *stage) ? &layout : nullptr;
    };
    const Layout* sum = partial_sum(node.operands[0]);
    if (sum == nullptr) return std::nullopt;
    const ValueId other = node.operands[1];
    if (op != "add") {
      if (!value(other).shape.empty()) return std::nullopt;
      return RuleLayouts{{*sum, replicated_on(sum->mesh, at(other))}, {*sum}};
    }
    const Layout* second = partial_sum(other);
    const bool is_alike =
        second != nullptr && *second == *sum && value(other).shape == value(node.operands[0]).shape;
    if (!is_alike) return std::nullopt;
    return RuleLayouts{{*sum, *sum}, {*sum}};
  }

  /// A sharding that was asked for, where it cuts no sum; else the nearest one that does not.
  RuleLayouts without_partial_sums(const ShardingRule& rule, const RuleLayouts& said,
                                   const std::vector<TensorType>& types) {
    const auto has_sums = [](const Layout& layout) {
      return std::any_of(layout.partial.begin(), layout.partial.end(),
                         [](const Partial& partial) { return partial.op == ReduceOp::kSum; });
    };
    if (std::none_of(said.results.begin(), said.results.end(), has_sums)) return said;
    std::vector<internal::Present> operands;
    for (size_t i = 0; i < types.size(); ++i)
      operands.push_back({said.operands[i], types[i].global, byte_size(types[i].dtype)});
    return internal::choose({rule, said.operands[0].mesh, operands, {}, true}, plans_).layouts;
  }

  /// What the node's sharding says, or MindSpore's default.
  std::optional<RuleLayouts> said_by(size_t n, const ShardingRule& rule, const MeshPtr& stage) {
    const Node& node = placed_.graph.nodes[n];
    const std::string_view op = node.op->name;
    const bool mindspore = options_.mode == PlaceMode::kMindSpore && placed_.network[n];
    if (!node.sharding.empty()) {
      require(!mindspore || op != "reshape",
              "reshape is given the strategy {}: it has none, its layouts are its neighbours'",
              printable(node.sharding));
      return read_sharding(node.sharding, op, rule, stage);
    }
    if (!mindspore) return std::nullopt;
    const bool by_rows = op == "dense" || internal::is_dense_bias(placed_.graph, node, producers_);
    const auto pieces = internal::batch_parallel(op, rule, stage->rank_count(), by_rows);
    if (!pieces) return std::nullopt;
    return layouts_of_pieces(op, rule, *pieces, stage);
  }

  /// An operand in the form from which it can be had: partial values are made whole first, once.
  internal::Present present(ValueId id, const MeshPtr& stage, size_t n) const {
    const ValueInfo& info = value(id);
    internal::Present made{replicated_on(stage, at(id)), info.shape, byte_size(info.dtype),
                           is_free_[at(id)]};
    if (made.is_free) return made;
    const std::vector<Form>& known = placed_.forms[at(id)];
    made.layout = known.front().layout;
    if (!made.layout.partial.empty() && known.size() > 1) made.layout = known[1].layout;
    const auto uncut = placed_.uncut.find(id);
    if (uncut != placed_.uncut.end() && (placed_.network[n] || !is_kept_cut(id)))
      made.layout = uncut->second.layout;
    made.layout = as_on(made.layout, stage);
    return made;
  }

  /// What comes from another stage may come cut as it is there.
  Layout as_on(const Layout& layout, const MeshPtr& stage) const {
    const bool is_of_a_stage = layout.mesh->rank_count() == stage->rank_count();
    return is_of_a_stage ? stages_.moved(layout, stage) : layout;
  }

  /// Whether a parameter is cut further and has not been gathered for a node: a forward pass reads
  /// what it reads whole, an update its share.
  bool is_kept_cut(ValueId id) const {
    return placed_.uncut.count(id) != 0 && placed_.forms[at(id)].size() == 1;
  }

  /// The mesh of the largest operand, where it has the stage's ranks: a node that was sharded on a
  /// mesh of its own hands it on.
  static MeshPtr mesh_of(const std::vector<internal::Present>& operands, const MeshPtr& stage) {
    int64_t most = -1;
    MeshPtr mesh = stage;
    for (const internal::Present& operand : operands) {
      const int64_t bytes = element_count(operand.shape) * operand.element_bytes;
      if (operand.is_free || bytes <= most || !internal::same_ranks(*operand.layout.mesh, *stage))
        continue;
      const bool is_cut = std::any_of(operand.layout.dims.begin(), operand.layout.dims.end(),
                                      [](const auto& dim) { return !dim.empty(); });
      if (!is_cut && operand.layout.partial.empty()) continue;
      most = bytes;
      mesh = operand.layout.mesh;
    }
    return mesh;
  }

  /// A parameter has one layout: two nodes that say how they are sharded may not want two.
  void note_wanted(size_t n, const RuleLayouts& layouts) {
    const Node& node = placed_.graph.nodes[n];
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const ValueId id = node.operands[i];
      const ValueInfo& info = value(id);
      if (!is_parameter_[at(id)]) continue;
      const auto [known, is_new] = wanted_.try_emplace(id, Wanted{n, layouts.operands[i]});
      if (is_new) continue;
      const Wanted& first = known->second;
      const bool same =
          plans_.find(first.layout, layouts.operands[i], info.shape, 1).plan.steps.empty();
      const Node& other = placed_.graph.nodes[first.node];
      require(
          same,
          "parameter '{}' {} is wanted as {} by {} '{}' and as {} here; wanted one layout: give "
          "both operators strategies that cut it alike",
          info.name, to_string(info.shape), to_string(first.layout), other.op->name,
          value(other.results[0]).name, to_string(layouts.operands[i]));
    }
  }

  /// The form of a value in this layout, made now where it is not there.
  int form_in(ValueId id, const Layout& layout, size_t before) {
    if (is_free_[at(id)]) fix_held(id, layout);
    std::vector<Form>& known = forms(id);
    const int64_t bytes = byte_size(value(id).dtype);
    const internal::Plans::Priced* best = nullptr;
    int from = 0;
    for (size_t f = 0; f < known.size(); ++f) {
      // Partial values are combined once.
      if (f == 0 && known.size() > 1 && !known[0].layout.partial.empty()) continue;
      const auto& priced = plans_.find(known[f].layout, layout, value(id).shape, bytes);
      if (best != nullptr && best->cost <= priced.cost) continue;
      best = &priced;
      from = static_cast<int>(f);
    }
    if (best->plan.steps.empty()) return from;
    Form made{layout, from, best->plan, before};
    const size_t tick = tick_of(before);
    const bool crosses = !internal::same_ranks(*known[at(from)].layout.mesh, *layout.mesh);
    if (crosses && tick < before && producers_[at(id)] < static_cast<int>(tick)) {
      made.before = tick;
      made.is_early = true;
    }
    known.push_back(std::move(made));
    return static_cast<int>(known.size()) - 1;
  }

  /// The first node of the tick that a node is of; itself where there are no ticks.
  size_t tick_of(size_t node) const {
    const auto next = std::upper_bound(options_.ticks.begin(), options_.ticks.end(), node);
    return next == options_.ticks.begin() ? node : *(next - 1);
  }

  void place_output(ValueId id) {
    const size_t end = placed_.graph.nodes.size();
    Layout layout = forms(id).front().layout;
    if (options_.gather_outputs)
      layout = replicated_on(placed_.mesh, at(id));
    else
      layout.partial.clear();
    placed_.output_forms.push_back(form_in(id, layout, end));
  }

  /// Parameters that are read in one layout only, and given in another, are given in that one,
  /// unless they are updated or kept cut further: then they stay where they were asked for.
  void load_where_read() {
    const auto each_use = [&](ValueId id, auto visit) {
      for (size_t n = 0; n < placed_.nodes.size(); ++n)
        for (size_t i = 0; i < placed_.nodes[n].operand_forms.size(); ++i)
          if (placed_.graph.nodes[n].operands[i] == id) visit(placed_.nodes[n].operand_forms[i]);
    };
    for (const ValueId id : placed_.graph.parameters) {
      if (forms(id).size() != 2 || is_updated(id) || placed_.uncut.count(id) != 0) continue;
      bool read_as_given = false;
      each_use(id, [&](const int& form) { read_as_given |= form == 0; });
      if (read_as_given) continue;
      fix(id, forms(id)[1].layout);
      each_use(id, [](int& form) { form = 0; });
    }
  }

  bool is_updated(ValueId id) const {
    const std::vector<Update>& updates = placed_.graph.updates;
    return std::any_of(updates.begin(), updates.end(),
                       [&](const Update& update) { return update.parameter == id; });
  }

  const PlaceOptions& options_;
  internal::Stages stages_;
  internal::Plans plans_;
  Placed placed_;
  std::vector<int> producers_;      // per value its node, or -1
  std::vector<bool> is_parameter_;  // per value
  std::vector<bool> is_free_;       // per value: it lies as its first reader wants it
  std::unordered_map<ValueId, Wanted> wanted_;
  std::unordered_map<std::string, RuleLayouts> choices_;
};

/// How many ranks are in one of two meshes, or both.
int ranks_of(const Mesh& a, const Mesh& b) {
  std::vector<Rank> ranks;
  const std::vector<Rank> first = a.sorted_ranks();
  const std::vector<Rank> second = b.sorted_ranks();
  std::set_union(first.begin(), first.end(), second.begin(), second.end(),
                 std::back_inserter(ranks));
  return static_cast<int>(ranks.size());
}

}  // namespace

Placed place(const Graph& graph, const PlaceOptions& options) {
  return Placer(graph, options).run();
}

std::vector<Movement> movements(const Placed& placed) {
  const std::vector<bool> known = internal::known_values(placed.graph);
  std::vector<Movement> all;
  for (size_t id = 0; id < placed.forms.size(); ++id) {
    const ValueInfo& value = placed.graph.values[id];
    for (const Form& form : placed.forms[id]) {
      const Layout* before = &form.plan.from;
      for (const Step& step : form.plan.steps) {
        const Plan one{*before, {step}};
        Movement made{step.kind, static_cast<ValueId>(id), {}, 0, !known[id]};
        if (step.axis >= 0) made.axis = before->mesh->axes[at(step.axis)].name;
        for (const Rank rank : step.after.mesh->all_ranks()) {
          const int64_t bytes = traffic(one, value.shape, byte_size(value.dtype), rank).bytes;
          made.bytes += bytes;
          made.largest = std::max(made.largest, bytes);
        }
        made.before = form.before;
        made.ranks = step.axis < 0 ? ranks_of(*before->mesh, *step.after.mesh)
                                   : before->mesh->axes[at(step.axis)].size;
        made.after = step.after;
        made.form = static_cast<size_t>(&form - placed.forms[id].data());
        made.step = static_cast<size_t>(&step - form.plan.steps.data());
        if (made.kind != StepKind::kSlice) all.push_back(std::move(made));
        before = &step.after;
      }
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Movement& a, const Movement& b) { return a.before < b.before; });
  return all;
}

}  // namespace tessera
