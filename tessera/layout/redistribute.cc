// A search for the cheapest way through the layouts of one mesh (Dijkstra's), with the exchange as
// an edge that leads from the start, and from wherever partial values were combined, to the goal.
#include "tessera/layout/redistribute.h"

#include <algorithm>
#include <array>
#include <limits>
#include <queue>
#include <tuple>
#include <unordered_map>

#include "tessera/base/error.h"
#include "tessera/layout/moves.h"
#include "tessera/layout/step_cost.h"

namespace tessera {
namespace {

constexpr size_t kMostStates = 10000;   // layouts that the search looks at
constexpr int64_t kMostLooks = 200000;  // ranks that it looks at to price exchanges
constexpr int kExchangeWeight = 1000;   // steps that an exchange counts for among equal costs

size_t index(int at) {
  return static_cast<size_t>(at);
}

std::vector<int> part_counts(const Layout& layout) {
  std::vector<int> counts;
  for (size_t d = 0; d < layout.dims.size(); ++d) counts.push_back(part_count(layout, d));
  return counts;
}

class Search {
 public:
  /// Layouts without axes of size 1. Unless they are on one mesh only an exchange reaches `to`.
  Search(const Layout& from, const Layout& to, StepCosts& costs)
      : to_(to), costs_(costs), one_mesh_(*from.mesh == *to.mesh) {
    // A key that no layout has, where the goal is on another mesh.
    ids_.emplace(one_mesh_ ? key(to) : "exchange", kGoal);
    states_.push_back({to, {}});
    start_ = one_mesh_ && from == to ? kGoal : 1;
    if (start_ == kGoal) return;
    ids_.emplace(key(from), start_);
    states_.push_back({from, {}});
    states_[1].best.cost = 0;
    open_.push({0, 0, start_});
  }

  std::vector<Step> run() {
    if (start_ == kGoal) return {};
    walk_straight();
    while (!open_.empty() && states_.size() <= kMostStates) {
      const Open next = open_.top();
      open_.pop();
      if (next.state == kGoal) break;
      const Best& best = states_[index(next.state)].best;
      if (std::tie(next.cost, next.weight) > std::tie(best.cost, best.weight)) continue;
      expand(next.state);
    }
    return trace_back();
  }

 private:
  static constexpr int kGoal = 0;

  struct Best {
    double cost = std::numeric_limits<double>::infinity();
    int weight = 0;     // decides among equal costs
    int previous = -1;  // the state before it
    Move move;
  };
  struct State {
    Layout layout;
    Best best;
  };
  struct Open {
    double cost;
    int weight;
    int state;
    /// For a queue with the least on top.
    bool operator<(const Open& other) const {
      return std::tie(cost, weight, state) > std::tie(other.cost, other.weight, other.state);
    }
  };

  static std::string key(const Layout& layout) {
    std::string text;
    for (const auto& dim : layout.dims) {
      for (const AxisId axis : dim) text += static_cast<char>(axis);
      text += static_cast<char>(kMostAxes);
    }
    for (const Partial& partial : layout.partial) text += static_cast<char>(partial.axis);
    return text;
  }

  void improve(int id, const Best& best) {
    State& state = states_[index(id)];
    if (std::tie(best.cost, best.weight) >= std::tie(state.best.cost, state.best.weight)) return;
    state.best = best;
    open_.push({best.cost, best.weight, id});
  }

  /// Reaches the goal by steps that each put an axis where it belongs. Rarely the best way, but the
  /// one that is left where the layouts are too many, and a ceiling for the others.
  void walk_straight() {
    int at = start_;
    while (one_mesh_ && at != kGoal) {
      const Layout layout = states_[index(at)].layout;
      const Move move = straight_move(layout, to_);
      try_move(at, layout, part_counts(layout), move);
      at = ids_.at(key(applied(layout, move)));
    }
  }

  void expand(int id) {
    const Layout layout = states_[index(id)].layout;  // states_ grows below
    const StepKind reached_by = states_[index(id)].best.move.kind;
    if (id == start_ || reached_by == StepKind::kAllReduce ||
        reached_by == StepKind::kReduceScatter)
      try_exchange(id, layout);
    const std::vector<int> counts = part_counts(layout);
    for (const Move& move : reductions_from(layout, to_)) try_move(id, layout, counts, move);
    if (!one_mesh_) return;
    for (const Move& move : moves_from(layout)) try_move(id, layout, counts, move);
  }

  void try_exchange(int id, const Layout& layout) {
    looks_ += to_.mesh->rank_count();
    if (id != start_ && looks_ > kMostLooks) return;
    const Best so_far = states_[index(id)].best;
    improve(kGoal, {so_far.cost + costs_.of_exchange(layout, to_), so_far.weight + kExchangeWeight,
                    id, Move{}});
  }

  void try_move(int id, const Layout& layout, const std::vector<int>& counts, const Move& move) {
    const int size = layout.mesh->axes[index(move.axis)].size;
    const Best so_far = states_[index(id)].best;
    const Best best{so_far.cost + costs_.of_move(move, counts, size), so_far.weight + 1, id, move};
    // What costs more than a way to the goal that is known cannot be part of a better one.
    const Best& ceiling = states_[kGoal].best;
    if (std::tie(best.cost, best.weight) > std::tie(ceiling.cost, ceiling.weight)) return;
    Layout after = applied(layout, move);
    const auto [found, fresh] = ids_.try_emplace(key(after), static_cast<int>(states_.size()));
    if (fresh) states_.push_back({std::move(after), {}});
    improve(found->second, best);
  }

  std::vector<Step> trace_back() const {
    std::vector<Step> steps;
    for (int at = kGoal; at != start_; at = states_[index(at)].best.previous) {
      const State& state = states_[index(at)];
      Move move = state.best.move;
      const Layout& before = states_[index(state.best.previous)].layout;
      if (move.kind == StepKind::kExchange && costs_.is_send_receive(before, to_))
        move.kind = StepKind::kSendReceive;
      steps.push_back({move.kind, move.axis, move.from_dim, move.to_dim, state.layout});
    }
    std::reverse(steps.begin(), steps.end());
    return steps;
  }

  const Layout& to_;  // outlives the search
  StepCosts& costs_;
  bool one_mesh_;
  int start_ = kGoal;
  int64_t looks_ = 0;
  std::vector<State> states_;
  std::unordered_map<std::string, int> ids_;
  std::priority_queue<Open> open_;
};

/// Whether what one rank has gathered is sent again: more bytes than other orders of moving need.
bool gathers_before_it_moves(const Plan& plan) {
  const auto is = [](StepKind kind) {
    return [kind](const Step& step) { return step.kind == kind; };
  };
  const auto gather = std::find_if(plan.steps.begin(), plan.steps.end(), is(StepKind::kAllGather));
  return plan.from.partial.empty() &&
         std::any_of(gather, plan.steps.end(), is(StepKind::kAllToAll));
}

/// What all ranks together receive.
int64_t bytes_in_all(const Plan& plan, const StepCosts& costs) {
  int64_t bytes = 0;
  const Layout* before = &plan.from;
  for (const Step& step : plan.steps) {
    for (const Rank rank : step.after.mesh->all_ranks())
      bytes += costs.traffic(*before, step, rank).bytes;
    before = &step.after;
  }
  return bytes;
}

}  // namespace

std::string_view to_string(StepKind kind) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "slice",      "all_gather",   "all_to_all", "reduce_scatter",
      "all_reduce", "send_receive", "exchange"};
  return kNames.at(static_cast<size_t>(kind));
}

Plan plan_redistribution(const Layout& from, const Layout& to, const Shape& global,
                         int64_t element_bytes, const CostModel& model) {
  validate(from, global.size());
  validate(to, global.size());
  (void)checked_product(element_count(global), element_bytes);
  const bool same_ranks =
      from.mesh->ranks == to.mesh->ranks && from.mesh->rank_count() == to.mesh->rank_count();
  MeshPtr mesh = *from.mesh == *to.mesh ? from.mesh : nullptr;
  if (!mesh && same_ranks) mesh = common_refinement(from.mesh, to.mesh);
  const Layout start = without_ones(mesh && mesh != from.mesh ? rebase(from, mesh) : from);
  const Layout goal = without_ones(mesh && mesh != to.mesh ? rebase(to, mesh) : to);
  check_exchange(start, goal);
  StepCosts costs(global, element_bytes, model);
  Plan plan{start, Search(start, goal, costs).run()};
  if (!gathers_before_it_moves(plan)) return plan;
  Plan exchange{start, {{StepKind::kExchange, -1, -1, -1, goal}}};
  const bool is_more = bytes_in_all(plan, costs) > bytes_in_all(exchange, costs);
  return is_more ? exchange : plan;
}

double cost(const Plan& plan, const Shape& global, int64_t element_bytes, const CostModel& model) {
  StepCosts costs(global, element_bytes, model);
  double total = 0;
  const Layout* before = &plan.from;
  for (const Step& step : plan.steps) {
    if (step.axis < 0)
      total += costs.of_exchange(*before, step.after);
    else
      total += costs.of_move({step.kind, step.axis, step.from_dim, step.to_dim},
                             part_counts(*before), before->mesh->axes[index(step.axis)].size);
    before = &step.after;
  }
  return total;
}

Traffic traffic(const Plan& plan, const Shape& global, int64_t element_bytes, Rank rank,
                const CostModel& model) {
  const StepCosts costs(global, element_bytes, model);
  Traffic total;
  const Layout* before = &plan.from;
  for (const Step& step : plan.steps) {
    const Traffic one = costs.traffic(*before, step, rank);
    total.messages += one.messages;
    total.bytes += one.bytes;
    before = &step.after;
  }
  return total;
}

std::string to_string(const Plan& plan) {
  std::string text = to_string(plan.from);
  const Layout* before = &plan.from;
  for (const Step& step : plan.steps) {
    text += fmt::format("\n{}", to_string(step.kind));
    if (step.axis >= 0) text += " " + before->mesh->axes[index(step.axis)].name;
    if (step.from_dim >= 0) text += fmt::format(" {}", step.from_dim);
    if (step.to_dim >= 0) text += fmt::format(" -> {}", step.to_dim);
    text += ": ";
    text += *step.after.mesh == *before->mesh ? dims_to_string(step.after) : to_string(step.after);
    before = &step.after;
  }
  return text;
}

}  // namespace tessera
