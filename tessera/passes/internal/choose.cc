#include "tessera/passes/internal/choose.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace tessera::internal {
namespace {

constexpr size_t kMostCandidates = 2000;

size_t at(int id) {
  return static_cast<size_t>(id);
}

/// All ways to give each axis one of its factors, or none (-1), that operands suggest.
class Candidates {
 public:
  explicit Candidates(const Question& question)
      : rule_(question.rule),
        mesh_(question.mesh),
        operands_(question.operands),
        goals_(question.goals),
        whole_sums_(question.whole_sums) {
    order_.resize(operands_.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](size_t a, size_t b) { return bytes(a) > bytes(b); });
    for (size_t axis = 0; axis < mesh_->axes.size(); ++axis)
      choices_.push_back(factors_for(static_cast<AxisId>(axis)));
    limit();
  }

  /// Calls visit(FactorAxes) for each.
  template <typename Visit>
  void each(Visit visit) const {
    std::vector<size_t> pick(choices_.size(), 0);
    while (true) {
      visit(assigned(pick));
      size_t axis = 0;
      while (axis < pick.size() && ++pick[axis] == choices_[axis].size()) pick[axis++] = 0;
      if (axis == pick.size()) return;
    }
  }

 private:
  int64_t bytes(size_t operand) const {
    return element_count(operands_[operand].shape) * operands_[operand].element_bytes;
  }

  bool may_be_cut(FactorId f) const {
    const ShardingRule::Factor& factor = rule_.factors[at(f)];
    if (factor.whole || factor.extent <= 1) return false;
    return !whole_sums_ || factor.reduce != ReduceOp::kSum || !is_reduced(rule_, f);
  }

  std::vector<FactorId> factors_for(AxisId axis) const {
    std::vector<FactorId> factors = {-1};
    if (mesh_->axes[at(axis)].size == 1) return factors;
    const auto add = [&](FactorId f) {
      if (may_be_cut(f) && std::find(factors.begin(), factors.end(), f) == factors.end())
        factors.push_back(f);
    };
    for (const size_t i : order_) {
      const Layout& layout = operands_[i].layout;
      if (operands_[i].is_free || !(*layout.mesh == *mesh_)) continue;
      for (size_t d = 0; d < layout.dims.size(); ++d) {
        const std::vector<AxisId>& cut = layout.dims[d];
        if (std::find(cut.begin(), cut.end(), axis) == cut.end()) continue;
        const std::vector<FactorId>& dim = rule_.operands[i][d];
        std::for_each(dim.begin(), dim.end(), add);
        // What may not be cut here may be cut elsewhere: a sum that stays whole by its results.
        const bool refused =
            std::none_of(dim.begin(), dim.end(), [this](FactorId f) { return may_be_cut(f); });
        if (!whole_sums_ || !refused) continue;
        for (const auto& other : rule_.operands[i])
          for (const FactorId f : other)
            if (!is_reduced(rule_, f)) add(f);
      }
    }
    for (size_t r = 0; r < goals_.size(); ++r) {
      if (!goals_[r] || !(*goals_[r]->mesh == *mesh_)) continue;
      for (size_t d = 0; d < goals_[r]->dims.size(); ++d) {
        const std::vector<AxisId>& cut = goals_[r]->dims[d];
        if (std::find(cut.begin(), cut.end(), axis) == cut.end()) continue;
        std::for_each(rule_.results[r][d].begin(), rule_.results[r][d].end(), add);
      }
    }
    return factors;
  }

  /// Where there are too many, the factors of the largest operands stay.
  void limit() {
    const auto count = [&] {
      size_t product = 1;
      for (const auto& factors : choices_)
        product = std::min(product * factors.size(), 2 * kMostCandidates);
      return product;
    };
    while (count() > kMostCandidates)
      std::max_element(choices_.begin(), choices_.end(), [](const auto& a, const auto& b) {
        return a.size() < b.size();
      })->pop_back();
  }

  /// Axes of one factor are in the order in which the largest operand has them.
  FactorAxes assigned(const std::vector<size_t>& pick) const {
    FactorAxes axes(rule_.factors.size());
    std::vector<bool> done(pick.size(), false);
    const auto take = [&](AxisId axis) {
      const FactorId f = choices_[at(axis)][pick[at(axis)]];
      if (f >= 0 && !done[at(axis)]) axes[at(f)].push_back(axis);
      done[at(axis)] = true;
    };
    for (const size_t i : order_) {
      const Layout& layout = operands_[i].layout;
      if (operands_[i].is_free || !(*layout.mesh == *mesh_)) continue;
      for (const auto& dim : layout.dims) std::for_each(dim.begin(), dim.end(), take);
    }
    for (const std::optional<Layout>& goal : goals_) {
      if (!goal || !(*goal->mesh == *mesh_)) continue;
      for (const auto& dim : goal->dims) std::for_each(dim.begin(), dim.end(), take);
    }
    for (size_t axis = 0; axis < pick.size(); ++axis) take(static_cast<AxisId>(axis));
    return axes;
  }

  const ShardingRule& rule_;
  const MeshPtr& mesh_;
  const std::vector<Present>& operands_;
  const std::vector<std::optional<Layout>>& goals_;
  bool whole_sums_;
  std::vector<size_t> order_;  // operands, largest first
  std::vector<std::vector<FactorId>> choices_;
};

/// What it takes to get the results to their goals, or the partial ones whole.
double cost_of_results(const Question& question, const RuleLayouts& layouts, Plans& plans) {
  double cost = 0;
  const int64_t element_bytes = question.operands.empty() ? 4 : question.operands[0].element_bytes;
  const std::vector<Shape> shapes = result_shapes(question.rule);
  for (size_t r = 0; r < layouts.results.size(); ++r) {
    Layout goal = layouts.results[r];
    goal.partial.clear();
    if (r < question.goals.size() && question.goals[r]) goal = *question.goals[r];
    if (goal == layouts.results[r]) continue;
    cost += plans.find(layouts.results[r], goal, shapes[r], element_bytes).cost;
  }
  return cost;
}

size_t axes_used(const FactorAxes& axes) {
  size_t count = 0;
  for (const auto& list : axes) count += list.size();
  return count;
}

}  // namespace

const Plans::Priced& Plans::find(const Layout& from, const Layout& to, const Shape& global,
                                 int64_t element_bytes) {
  std::string key = to_string(from) + "|" + to_string(to) + "|" + to_string(global);
  key += static_cast<char>('0' + element_bytes);
  const auto known = plans_.find(key);
  if (known != plans_.end()) return known->second;
  Priced made;
  made.plan = plan_redistribution(from, to, global, element_bytes, model_);
  made.cost = cost(made.plan, global, element_bytes, model_);
  return plans_.emplace(std::move(key), std::move(made)).first->second;
}

Choice choose(const Question& question, Plans& plans) {
  const ShardingRule& rule = question.rule;
  Choice best;
  best.cost = std::numeric_limits<double>::infinity();
  size_t best_axes = 0;
  Candidates(question).each([&](const FactorAxes& axes) {
    if (!why_not(rule, *question.mesh, axes).empty()) return;
    Choice choice{layouts_of(rule, question.mesh, axes), 0};
    choice.cost = cost_of_results(question, choice.layouts, plans);
    for (size_t i = 0; i < question.operands.size() && choice.cost <= best.cost; ++i) {
      const Present& operand = question.operands[i];
      if (operand.is_free) continue;
      choice.cost += plans
                         .find(operand.layout, choice.layouts.operands[i], operand.shape,
                               operand.element_bytes)
                         .cost;
    }
    const size_t used = axes_used(axes);
    if (choice.cost > best.cost || (choice.cost == best.cost && used <= best_axes)) return;
    best = std::move(choice);
    best_axes = used;
  });
  return best;
}

}  // namespace tessera::internal
