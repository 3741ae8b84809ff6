#include "tessera/passes/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>
#include <unordered_set>

#include "tessera/ops/registry.h"
#include "tessera/passes/internal/backward.h"
#include "tessera/passes/internal/given.h"
#include "tessera/passes/internal/rewriter.h"
#include "tessera/passes/internal/ways.h"
#include "tessera/passes/shard.h"

namespace tessera {
namespace {

using internal::LayoutId;
using internal::Price;
using internal::TensorId;
using internal::Way;

// What the beam holds: states that continue past a node, and ways to go on that each of them tries.
constexpr size_t kMostTried = 5'000'000;  // ways, over all nodes
constexpr size_t kMostStates = 20'000;
constexpr size_t kFewestStates = 500;
constexpr size_t kMostTries = 40;

size_t at(int id) {
  return static_cast<size_t>(id);
}

/// What a placement has cost up to some node.
struct Spent {
  int64_t bytes = 0;
  int64_t once = 0;  // bytes that move when the graph is compiled, not in runs
  double work = 0;
  int64_t held = 0;  // of parameters, and of what is computed from them
  int64_t peak = 0;  // of all other values at once
  double cost = 0;   // bytes, and what the work is worth

  auto price() const { return std::tie(cost, work, once); }
  int64_t memory() const { return held + peak; }
  bool is_no_worse(const Spent& other) const {
    return price() <= other.price() && held <= other.held && peak <= other.peak;
  }
};

/// Where the values lie that are alive, in their order: per value the number of its forms, as
/// place() makes them, and the forms. None: it will lie as its first reader wants it.
using Forms = std::vector<LayoutId>;

struct State {
  Spent spent;
  int previous = -1;         // in the layer before
  const Way* way = nullptr;  // of the node that this state is behind
  Forms forms;
};

/// The places of so many of a list, the best for each of several prices of memory: of those with
/// the same group the best only. `spent` and `group` say what is at a place.
template <typename SpentAt, typename GroupAt>
std::vector<size_t> best_places(size_t count, size_t most, SpentAt spent, GroupAt group) {
  std::vector<size_t> order(count);
  for (size_t i = 0; i < count; ++i) order[i] = i;
  if (count <= most) return order;
  constexpr int kPrices = 8;  // of a byte per rank, in bytes moved: 0, 8^-2 … 8^4, and no limit
  std::vector<bool> is_kept(count, false);
  std::vector<double> values(count);
  for (int p = 0; p <= kPrices; ++p) {
    const double factor = p == 0 ? 0 : std::ldexp(1.0, 3 * (p - 3));
    for (size_t i = 0; i < count; ++i) {
      const auto memory = static_cast<double>(spent(i).memory());
      values[i] = p == kPrices ? memory : spent(i).cost + factor * memory;
    }
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::tuple(values[a], spent(a).price(), a) <
             std::tuple(values[b], spent(b).price(), b);
    });
    const size_t half = most / (kPrices + 1) / 2;
    for (size_t i = 0; i < half; ++i) is_kept[order[i]] = true;
    std::unordered_set<size_t> groups;
    for (size_t i = 0; i < count && groups.size() <= half; ++i)
      if (groups.insert(group(order[i])).second) is_kept[order[i]] = true;
  }
  std::vector<size_t> kept;
  for (size_t i = 0; i < count; ++i)
    if (is_kept[i]) kept.push_back(i);
  return kept;
}

size_t hash_of(const Forms& forms) {
  const auto* text = reinterpret_cast<const char*>(forms.data());
  return std::hash<std::string_view>()({text, forms.size() * sizeof(LayoutId)});
}

ShardingRule rule_at(const Graph& graph, size_t n) {
  const Node& node = graph.nodes[n];
  const std::vector<TensorType> types = graph.types(node.operands);
  return rule_of(*node.op, OpCall{types, {}, node.attrs, {}});
}

class Search {
 public:
  Search(const Graph& graph, const PlaceOptions& options)
      : graph_(graph),
        options_(options),
        stages_(graph, options),
        ways_(options.costs),
        known_(internal::known_values(graph)) {
    is_held_.resize(graph.values.size(), false);
    for (const ValueId id : graph.parameters) is_held_[at(id)] = true;
    copies_.resize(graph.values.size(), 1);
    backward_ = {std::vector<bool>(graph.values.size()), std::vector<bool>(graph.values.size())};
    const size_t share = kMostTried / kMostTries / std::max<size_t>(1, graph.nodes.size());
    most_states_ = std::clamp(share, kFewestStates, kMostStates);
    for (const ValueInfo& value : graph.values)
      tensors_.push_back(ways_.tensor(value.shape, byte_size(value.dtype)));
    find_lives();
  }

  /// The graph is the forward part of this step.
  void count_training(const StepToSearch& step) {
    backward_ = internal::backward_of(*step.graph, step.forward_nodes, step.trained);
    for (const ValueId id : step.trained) copies_[at(id)] = 2 + step.states;
    cost_of_work_ = step.bytes_per_loop * stages_.everyone()->rank_count();
  }

  std::vector<Found> run(bool counts_outputs) {
    layers_.push_back({first_state()});
    for (size_t n = 0; n < graph_.nodes.size(); ++n) pass_node(n);
    if (counts_outputs)
      for (State& state : layers_.back()) gather_outputs(state);
    std::vector<size_t> order(layers_.back().size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    const std::vector<State>& ends = layers_.back();
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return ends[a].spent.price() < ends[b].spent.price();
    });
    std::vector<Found> found;
    for (const size_t i : order)
      if (found.empty() || ends[i].spent.memory() < found.back().memory)
        found.push_back(trace_back(i));
    return found;
  }

 private:
  /// Which values are alive behind each node, and in which slot of a state each of them is.
  void find_lives() {
    std::vector<size_t> last(graph_.values.size(), 0);  // the node after the last reader
    for (size_t n = 0; n < graph_.nodes.size(); ++n)
      for (const ValueId id : graph_.nodes[n].operands) last[at(id)] = n + 1;
    for (const ValueId id : graph_.outputs) last[at(id)] = graph_.nodes.size() + 1;
    std::vector<ValueId> alive;
    for (const auto* ids : {&graph_.inputs, &graph_.parameters})
      alive.insert(alive.end(), ids->begin(), ids->end());
    for (const auto& [id, tensor] : graph_.constants) alive.push_back(id);
    const auto keep = [&](size_t behind) {
      std::erase_if(alive, [&](ValueId id) { return last[at(id)] <= behind; });
      alive_.push_back(alive);
    };
    keep(0);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      alive.insert(alive.end(), graph_.nodes[n].results.begin(), graph_.nodes[n].results.end());
      keep(n + 1);
      find_slots(n);
    }
  }

  /// In which slots node n finds its operands, and where the slots behind it come from.
  void find_slots(size_t n) {
    const Node& node = graph_.nodes[n];
    const auto place = [](const std::vector<ValueId>& ids, ValueId id) {
      return static_cast<size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
    };
    std::vector<size_t>& slots = slots_.emplace_back();
    for (const ValueId id : node.operands) slots.push_back(place(alive_[n], id));
    auto& origins = origins_.emplace_back();
    for (const ValueId id : alive_[n + 1]) {
      const size_t result = place(node.results, id);
      origins.emplace_back(place(alive_[n], id),
                           result < node.results.size() ? static_cast<int>(result) : -1);
    }
  }

  int64_t bytes_of(ValueId id, LayoutId layout) {
    return ways_.bytes_on_a_rank(layout, tensors_[at(id)]);
  }

  /// Whether a value does not go when the forward pass has read it.
  bool stays(ValueId id) const {
    return known_[at(id)] || is_held_[at(id)] || backward_.is_read[at(id)];
  }

  State first_state() {
    State state;
    for (const ValueId id : alive_[0]) {
      std::optional<Layout> given;
      if (std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end())
        given = internal::layout_of_input(graph_, id, options_, stages_);
      else if (is_held_[at(id)])
        given = internal::layout_of_parameter(graph_, id, options_, stages_);
      state.forms.push_back(given ? 1 : 0);
      if (!given) continue;
      state.forms.push_back(ways_.layout(*given));
      if (stays(id)) state.spent.held += copies_[at(id)] * bytes_of(id, state.forms.back());
    }
    return state;
  }

  const std::vector<Way>& ways_of(size_t n) {
    const Node& node = graph_.nodes[n];
    const ShardingRule rule = rule_at(graph_, n);
    const MeshPtr& mesh = stages_.of_node(n);
    if (!node.sharding.empty()) {
      const ErrorContext context([&] {
        return fmt::format("placing {} '{}'", node.op->name,
                           graph_.values[at(node.results[0])].name);
      });
      const RuleLayouts said = read_sharding(node.sharding, node.op->name, rule, mesh);
      return said_.emplace(n, std::vector<Way>{ways_.one(rule, said, node.sharding)}).first->second;
    }
    const bool whole_sums =
        options_.deterministic && info(graph_.type(node.operands[0]).dtype).is_floating;
    return ways_.all(rule, mesh, whole_sums);
  }

  void pass_node(size_t n) {
    const std::vector<Way>& ways = ways_of(n);
    const std::vector<State>& before = layers_.back();
    std::vector<State> made;
    std::unordered_map<size_t, std::vector<size_t>> alike;  // by hash of the forms
    std::vector<Spent> tried(ways.size());
    for (size_t s = 0; s < before.size(); ++s) {
      open(before[s], n);
      for (size_t w = 0; w < ways.size(); ++w) tried[w] = spent_by(before[s], n, ways[w], nullptr);
      const auto tries = best_places(
          ways.size(), kMostTries, [&](size_t w) -> const Spent& { return tried[w]; },
          [](size_t w) { return w; });
      for (const size_t w : tries) {
        State next{tried[w], static_cast<int>(s), &ways[w], {}};
        (void)spent_by(before[s], n, ways[w], &next.forms);
        add(std::move(next), made, alike);
      }
    }
    const auto kept = best_places(
        made.size(), most_states_, [&](size_t i) -> const Spent& { return made[i].spent; },
        [&](size_t i) { return hash_of(made[i].forms); });
    for (State& state : layers_.back()) state.forms = {};  // only the way is needed from now on
    std::vector<State>& layer = layers_.emplace_back();
    for (const size_t i : kept) layer.push_back(std::move(made[i]));
  }

  /// Adds a state, unless one with the same forms is no worse; takes the place of one that is.
  static void add(State state, std::vector<State>& made,
                  std::unordered_map<size_t, std::vector<size_t>>& alike) {
    std::vector<size_t>& same = alike[hash_of(state.forms)];
    for (const size_t i : same)
      if (made[i].spent.is_no_worse(state.spent) && made[i].forms == state.forms) return;
    for (const size_t i : same) {
      if (!state.spent.is_no_worse(made[i].spent) || made[i].forms != state.forms) continue;
      made[i] = std::move(state);
      return;
    }
    same.push_back(made.size());
    made.push_back(std::move(state));
  }

  /// Reads the forms of a state before node n.
  void open(const State& state, size_t n) {
    forms_.resize(alive_[n].size());
    together_ = 0;
    size_t next = 0;
    for (size_t slot = 0; slot < forms_.size(); ++slot) {
      const auto count = at(state.forms[next++]);
      forms_[slot] = {state.forms.data() + next, count};
      next += count;
      if (!stays(alive_[n][slot]))
        for (const LayoutId form : forms_[slot]) together_ += bytes_of(alive_[n][slot], form);
    }
  }

  /// What has been spent behind node n when it is split this way, from the state that is open; the
  /// forms of what is alive there go to `behind`, where it is given.
  Spent spent_by(const State& before, size_t n, const Way& way, Forms* behind) {
    const Node& node = graph_.nodes[n];
    Spent spent = before.spent;
    spent.work += way.work;
    int64_t together = together_;
    more_.clear();
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const ValueId id = node.operands[i];
      const size_t slot = slots_[n][i];
      if (backward_.has_gradient[at(id)])
        move_back(spent, id, slot, way.operands[i], way.gradients[i]);
      const bool is_first = first_form(slot) < 0;
      if (!read(spent, id, slot, way.operands[i])) continue;
      more_.emplace_back(slot, way.operands[i]);
      const int64_t bytes = bytes_of(id, way.operands[i]) * (is_first ? copies_[at(id)] : 1);
      (stays(id) ? spent.held : together) += bytes;
    }
    for (size_t r = 0; r < node.results.size(); ++r) {
      // Of partial values the backward pass reads what they were combined to.
      const bool goes = !ways_.of(way.results[r]).partial.empty() && !known_[at(node.results[r])];
      (stays(node.results[r]) && !goes ? spent.held : together) +=
          bytes_of(node.results[r], way.results[r]);
    }
    spent.peak = std::max(spent.peak, together);
    spent.cost = static_cast<double>(spent.bytes) + cost_of_work_ * spent.work;
    if (behind == nullptr) return spent;
    for (const auto& [slot, result] : origins_[n]) {
      if (result >= 0) {
        behind->insert(behind->end(), {1, way.results[at(result)]});
        continue;
      }
      const size_t count_at = behind->size();
      behind->push_back(0);
      behind->insert(behind->end(), forms_[slot].begin(), forms_[slot].end());
      for (const auto& [of, form] : more_)
        if (of == slot) behind->push_back(form);
      (*behind)[count_at] = static_cast<LayoutId>(behind->size() - count_at - 1);
    }
    return spent;
  }

  /// The form in which a value was computed or given, or in which its first reader wants it; -1
  /// before that.
  LayoutId first_form(size_t slot) const {
    if (!forms_[slot].empty()) return forms_[slot][0];
    for (const auto& [of, form] : more_)
      if (of == slot) return form;
    return -1;
  }

  /// Moves the gradient of an operand to where the value was computed, or where the parameter lies.
  void move_back(Spent& spent, ValueId id, size_t slot, LayoutId operand, LayoutId gradient) {
    const LayoutId first = first_form(slot);
    const LayoutId to = ways_.whole(first < 0 ? operand : first);
    spent.bytes += ways_.price(gradient, to, tensors_[at(id)]).bytes;
  }

  /// Moves a value to where a node wants it; false where it is there.
  bool read(Spent& spent, ValueId id, size_t slot, LayoutId wanted) {
    const std::span<const LayoutId> forms = forms_[slot];
    for (const auto& [of, form] : more_)
      if (of == slot && form == wanted) return false;
    if (first_form(slot) < 0) return true;  // it lies as it is wanted
    const Price* best = nullptr;
    const auto look = [&](LayoutId form) {
      const Price& price = ways_.price(form, wanted, tensors_[at(id)]);
      if (best == nullptr || price.cost < best->cost) best = &price;
    };
    for (size_t f = 0; f < forms.size(); ++f) {
      // Partial values are combined once.
      if (f == 0 && forms.size() > 1 && !ways_.of(forms[0]).partial.empty()) continue;
      look(forms[f]);
    }
    for (const auto& [of, form] : more_)
      if (of == slot) look(form);
    if (best->is_free) return false;
    (known_[at(id)] ? spent.once : spent.bytes) += best->bytes;
    return true;
  }

  void gather_outputs(State& state) {
    const size_t end = graph_.nodes.size();
    open(state, end);
    more_.clear();
    for (const ValueId id : graph_.outputs) {
      const auto slot = static_cast<size_t>(std::find(alive_[end].begin(), alive_[end].end(), id) -
                                            alive_[end].begin());
      const size_t ndim = graph_.values[at(id)].shape.size();
      read(state.spent, id, slot, ways_.layout(replicated(stages_.everyone(), ndim)));
    }
    state.spent.cost = static_cast<double>(state.spent.bytes) + cost_of_work_ * state.spent.work;
  }

  Found trace_back(size_t end) const {
    const State& last = layers_.back()[end];
    Found found{{}, last.spent.bytes, last.spent.work, last.spent.memory()};
    for (size_t layer = layers_.size(); --layer > 0;) {
      const State& state = layers_[layer][end];
      found.shardings.push_back(state.way->sharding);
      end = at(state.previous);
    }
    std::reverse(found.shardings.begin(), found.shardings.end());
    return found;
  }

  const Graph& graph_;
  const PlaceOptions& options_;
  internal::Stages stages_;
  internal::Ways ways_;
  std::vector<bool> known_;      // per value: it depends on parameters and constants only
  std::vector<bool> is_held_;    // per value: it is a parameter
  std::vector<int64_t> copies_;  // per value: tensors like it that are held as long as it is
  internal::Backward backward_;  // nothing, of a prediction
  double cost_of_work_ = 0;      // in bytes, of an iteration on the busiest rank
  std::vector<TensorId> tensors_;
  std::vector<std::vector<ValueId>> alive_;  // behind each node, from before the first one on
  std::vector<std::vector<size_t>> slots_;   // per node and operand
  std::vector<std::vector<std::pair<size_t, int>>> origins_;  // a slot before, or a result
  std::vector<std::vector<State>> layers_;
  std::map<size_t, std::vector<Way>> said_;
  size_t most_states_ = kFewestStates;
  // Of the state that is open: the forms of each slot, what all take together, and the forms that a
  // node adds.
  std::vector<std::span<const LayoutId>> forms_;
  int64_t together_ = 0;
  std::vector<std::pair<size_t, LayoutId>> more_;
};

}  // namespace

std::vector<Found> search(const Graph& graph, const PlaceOptions& options, bool counts_outputs) {
  return Search(graph, options).run(counts_outputs);
}

std::vector<Found> search(const StepToSearch& step, const PlaceOptions& options) {
  const Graph forward = internal::forward_part(*step.graph, step.forward_nodes);
  Search made(forward, options);
  made.count_training(step);
  return made.run(false);
}

void apply(Graph& graph, const Found& found, const MeshPtr& mesh) {
  require(found.shardings.size() <= graph.nodes.size(),
          "a placement of {} nodes for a graph of {}: they are not of one network",
          found.shardings.size(), graph.nodes.size());
  for (size_t n = 0; n < found.shardings.size(); ++n) {
    Node& node = graph.nodes[n];
    if (!node.sharding.empty()) continue;
    try {
      (void)read_sharding(found.shardings[n], node.op->name, rule_at(graph, n), mesh);
      node.sharding = found.shardings[n];
    } catch (const Error&) {
      // These rows have no such parts.
    }
  }
}

void use_pieces(Graph& graph, const MeshPtr& mesh) {
  const std::vector<Rank> ranks = mesh->all_ranks();
  const auto same_boxes = [&](const std::vector<Layout>& a, const std::vector<Layout>& b,
                              const std::vector<Shape>& shapes) {
    for (size_t i = 0; i < shapes.size(); ++i)
      for (const Rank rank : ranks)
        if (!(local_box(a[i], shapes[i], rank) == local_box(b[i], shapes[i], rank))) return false;
    return true;
  };
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    // MindSpore takes no strategy for reshape.
    if (node.sharding.empty() || is_pieces(node.sharding) || node.op->name == "reshape") continue;
    const ShardingRule rule = rule_at(graph, n);
    const RuleLayouts said = read_sharding(node.sharding, node.op->name, rule, mesh);
    Pieces pieces;
    std::vector<Shape> shapes;
    for (size_t i = 0; i < node.operands.size(); ++i) {
      std::vector<int>& tuple = pieces.emplace_back();
      shapes.push_back(graph.type(node.operands[i]).global);
      for (size_t d = 0; d < shapes[i].size(); ++d)
        tuple.push_back(part_count(said.operands[i], d));
    }
    try {
      const RuleLayouts made = layouts_of_pieces(node.op->name, rule, pieces, mesh);
      if (same_boxes(said.operands, made.operands, shapes) &&
          same_boxes(said.results, made.results, result_shapes(rule)))
        node.sharding = to_string(pieces);
    } catch (const Error&) {
      // MindSpore's notation cannot say it.
    }
  }
}

MeshPtr search_mesh(int ranks) {
  require(ranks > 0, "a mesh of {} ranks; wanted 1 or more", ranks);
  int small = static_cast<int>(std::sqrt(static_cast<double>(ranks)));
  while (ranks % small != 0) --small;
  if (small == 1) return make_mesh({{"d0", ranks}});
  return make_mesh({{"d0", ranks / small}, {"d1", small}});
}

}  // namespace tessera
