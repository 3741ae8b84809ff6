#include "tessera/passes/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "tessera/ops/registry.h"
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

// What the beam holds: states that continue past a node, and ways that each of them tries.
constexpr size_t kMostSteps = 4'000'000;  // of states, over all nodes
constexpr size_t kMostStates = 20'000;
constexpr size_t kFewestStates = 48;
constexpr size_t kMostTries = 96;
constexpr size_t kMostAxesOfSearch = 3;

size_t at(int id) {
  return static_cast<size_t>(id);
}

/// Where one value lies: its forms, as place() makes them. Empty: as its first reader wants it.
using Forms = std::vector<LayoutId>;

struct State {
  int64_t bytes = 0;
  int64_t once = 0;  // bytes that move when the graph is compiled, not in runs
  double work = 0;
  int64_t held = 0;  // of parameters, and of what is computed from them
  int64_t peak = 0;  // of all other values at once
  int previous = -1;
  const Way* way = nullptr;  // of the node that this state is behind
  std::vector<Forms> forms;  // of the values that are alive here

  auto price() const { return std::tie(bytes, work, once); }
  int64_t memory() const { return held + peak; }
};

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
    const size_t share = kMostSteps / kMostTries / std::max<size_t>(1, graph.nodes.size());
    most_states_ = std::clamp(share, kFewestStates, kMostStates);
    for (const ValueInfo& value : graph.values)
      tensors_.push_back(ways_.tensor(value.shape, byte_size(value.dtype)));
    find_lives();
  }

  std::vector<Found> run() {
    layers_.push_back({first_state()});
    for (size_t n = 0; n < graph_.nodes.size(); ++n) pass_node(n);
    std::vector<size_t> order(layers_.back().size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    const std::vector<State>& ends = layers_.back();
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return ends[a].price() < ends[b].price(); });
    std::vector<Found> found;
    for (const size_t i : order)
      if (found.empty() || ends[i].memory() < found.back().memory) found.push_back(trace_back(i));
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
    }
  }

  int64_t bytes_of(ValueId id, LayoutId layout) {
    return ways_.bytes_on_a_rank(layout, tensors_[at(id)]);
  }

  State first_state() {
    State state;
    for (const ValueId id : alive_[0]) {
      Forms& forms = state.forms.emplace_back();
      std::optional<Layout> given;
      if (std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end())
        given = internal::layout_of_input(graph_, id, options_, stages_);
      else if (is_held_[at(id)])
        given = internal::layout_of_parameter(graph_, id, options_, stages_);
      if (!given) continue;
      forms.push_back(ways_.layout(*given));
      if (is_held_[at(id)]) state.held += bytes_of(id, forms[0]);
    }
    return state;
  }

  const std::vector<Way>& ways_of(size_t n) {
    const Node& node = graph_.nodes[n];
    const std::vector<TensorType> types = graph_.types(node.operands);
    const OpCall call{types, {}, node.attrs, {}};
    const ShardingRule rule = rule_of(*node.op, call);
    const MeshPtr& mesh = stages_.of_node(n);
    if (!node.sharding.empty()) {
      const ErrorContext context([&] {
        return fmt::format("placing {} '{}'", node.op->name,
                           graph_.values[at(node.results[0])].name);
      });
      const RuleLayouts said = read_sharding(node.sharding, node.op->name, rule, mesh);
      return said_.emplace(n, std::vector<Way>{ways_.one(rule, said, node.sharding)}).first->second;
    }
    const bool whole_sums = options_.deterministic && info(types[0].dtype).is_floating;
    return ways_.all(rule, mesh, whole_sums);
  }

  void pass_node(size_t n) {
    const std::vector<Way>& ways = ways_of(n);
    std::vector<State> made;
    const std::vector<State>& before = layers_.back();
    for (size_t s = 0; s < before.size(); ++s) {
      std::vector<State> tried;
      for (const Way& way : ways) {
        tried.push_back(stepped(before[s], n, way));
        tried.back().previous = static_cast<int>(s);
      }
      keep_best(tried, kMostTries);
      std::move(tried.begin(), tried.end(), std::back_inserter(made));
    }
    drop_dominated(made);
    keep_best(made, most_states_);
    for (State& state : layers_.back()) state.forms = {};  // only the way is needed from now on
    layers_.push_back(std::move(made));
  }

  /// The state behind node n when it is split this way.
  State stepped(const State& before, size_t n, const Way& way) {
    const Node& node = graph_.nodes[n];
    State state = before;
    state.way = &way;
    state.work += way.work;
    const std::vector<ValueId>& alive = alive_[n];
    const auto slot_of = [&](ValueId id) {
      return static_cast<size_t>(std::find(alive.begin(), alive.end(), id) - alive.begin());
    };
    for (size_t i = 0; i < node.operands.size(); ++i)
      read(state, node.operands[i], state.forms[slot_of(node.operands[i])], way.operands[i]);
    int64_t together = 0;
    for (size_t slot = 0; slot < alive.size(); ++slot)
      if (!known_[at(alive[slot])])
        for (const LayoutId form : state.forms[slot]) together += bytes_of(alive[slot], form);
    std::vector<Forms> behind;
    for (const ValueId id : alive_[n + 1]) {
      const size_t slot = slot_of(id);
      if (slot < alive.size()) {
        behind.push_back(std::move(state.forms[slot]));
        continue;
      }
      const size_t r = static_cast<size_t>(std::find(node.results.begin(), node.results.end(), id) -
                                           node.results.begin());
      behind.push_back({way.results[r]});
    }
    for (size_t r = 0; r < node.results.size(); ++r)
      (known_[at(node.results[r])] ? state.held : together) +=
          bytes_of(node.results[r], way.results[r]);
    state.forms = std::move(behind);
    state.peak = std::max(state.peak, together);
    return state;
  }

  /// A value in the form that a node wants, made where it is not there.
  void read(State& state, ValueId id, Forms& forms, LayoutId wanted) {
    if (forms.empty()) {
      forms.push_back(wanted);
      if (known_[at(id)]) state.held += bytes_of(id, wanted);
      return;
    }
    const Price* best = nullptr;
    for (size_t f = 0; f < forms.size(); ++f) {
      // Partial values are combined once.
      if (f == 0 && forms.size() > 1 && !ways_.of(forms[0]).partial.empty()) continue;
      const Price& price = ways_.price(forms[f], wanted, tensors_[at(id)]);
      if (best == nullptr || price.cost < best->cost) best = &price;
    }
    if (best->is_free) return;
    (known_[at(id)] ? state.once : state.bytes) += best->bytes;
    if (known_[at(id)]) state.held += bytes_of(id, wanted);
    forms.push_back(wanted);
  }

  /// Of states that differ in the past only, those that no other is better than in all respects.
  static void drop_dominated(std::vector<State>& states) {
    std::stable_sort(states.begin(), states.end(), [](const State& a, const State& b) {
      return std::tie(a.forms, a.bytes, a.work, a.once, a.held, a.peak) <
             std::tie(b.forms, b.bytes, b.work, b.once, b.held, b.peak);
    });
    std::vector<State> kept;
    size_t first = 0;  // of those with the same forms
    for (State& state : states) {
      if (!kept.empty() && kept.back().forms != state.forms) first = kept.size();
      const bool is_worse = std::any_of(
          kept.begin() + static_cast<std::ptrdiff_t>(first), kept.end(), [&](const State& better) {
            return better.held <= state.held && better.peak <= state.peak;
          });
      if (!is_worse) kept.push_back(std::move(state));
    }
    states = std::move(kept);
  }

  /// So many of them: the best for each of several prices of memory, from none to any.
  static void keep_best(std::vector<State>& states, size_t most) {
    if (states.size() <= most) return;
    constexpr int kPrices = 12;  // of a byte of memory, in bytes moved: 0, then 1/64 … 16, then all
    std::vector<bool> kept(states.size(), false);
    std::vector<size_t> order(states.size());
    for (int p = 0; p <= kPrices; ++p) {
      const auto value = [&](const State& state) {
        const auto memory = static_cast<double>(state.memory());
        if (p == kPrices) return memory;
        const double factor = p == 0 ? 0 : std::ldexp(1.0, p - 7);
        return static_cast<double>(state.bytes) + factor * memory;
      };
      for (size_t i = 0; i < order.size(); ++i) order[i] = i;
      const size_t share = std::min(order.size(), most / (kPrices + 1) + 1);
      const auto is_better = [&](size_t a, size_t b) {
        return std::tuple(value(states[a]), states[a].price(), a) <
               std::tuple(value(states[b]), states[b].price(), b);
      };
      std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(share),
                        order.end(), is_better);
      for (size_t i = 0; i < share; ++i) kept[order[i]] = true;
    }
    std::vector<State> left;
    for (size_t i = 0; i < states.size(); ++i)
      if (kept[i]) left.push_back(std::move(states[i]));
    states = std::move(left);
  }

  Found trace_back(size_t end) const {
    const State& last = layers_.back()[end];
    Found found{{}, last.bytes, last.work, last.memory()};
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
  std::vector<bool> known_;    // per value: it depends on parameters and constants only
  std::vector<bool> is_held_;  // per value: it is a parameter
  std::vector<TensorId> tensors_;
  std::vector<std::vector<ValueId>> alive_;  // behind each node, from before the first one on
  std::vector<std::vector<State>> layers_;
  std::map<size_t, std::vector<Way>> said_;
  size_t most_states_ = kFewestStates;
};

}  // namespace

std::vector<Found> search(const Graph& graph, const PlaceOptions& options) {
  require(options.mesh != nullptr, "a mesh is needed to place a graph");
  return Search(graph, options).run();
}

void apply(Graph& graph, const Found& found) {
  require(graph.nodes.size() == found.shardings.size(),
          "a placement of {} nodes for a graph of {}: they are not of one network",
          found.shardings.size(), graph.nodes.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) graph.nodes[n].sharding = found.shardings[n];
}

MeshPtr search_mesh(int ranks) {
  require(ranks > 0, "a mesh of {} ranks; wanted 1 or more", ranks);
  std::vector<int> sizes;
  for (int prime = 2; ranks > 1; ++prime) {
    for (; ranks % prime == 0; ranks /= prime) sizes.push_back(prime);
    if (prime > ranks / prime && ranks > 1) {
      sizes.push_back(ranks);
      break;
    }
  }
  std::sort(sizes.rbegin(), sizes.rend());
  while (sizes.size() > kMostAxesOfSearch) {
    sizes[sizes.size() - 2] *= sizes.back();
    sizes.pop_back();
    std::sort(sizes.rbegin(), sizes.rend());
  }
  if (sizes.empty()) sizes.push_back(1);
  std::vector<MeshAxis> axes;
  for (const int size : sizes) axes.push_back({fmt::format("d{}", axes.size()), size});
  return make_mesh(std::move(axes));
}

}  // namespace tessera
