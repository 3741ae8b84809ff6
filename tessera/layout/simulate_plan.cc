#include "tessera/layout/simulate_plan.h"

#include <algorithm>

#include "tessera/base/error.h"

namespace tessera {
namespace {

/// Which elements of the global tensor each place of a layout holds, and who is beside whom.
class Holding {
 public:
  Holding(const Layout& layout, const Shape& global) : layout_(layout), global_(global) {}

  int places() const {
    int count = 1;
    for (const MeshAxis& axis : layout_.mesh->axes) count *= axis.size;
    return count;
  }
  Rank rank_at(int place) const {
    return layout_.mesh->ranks.empty() ? place : layout_.mesh->ranks[static_cast<size_t>(place)];
  }
  std::vector<int> coordinates(int place) const {
    std::vector<int> coordinates(layout_.mesh->axes.size());
    for (size_t a = coordinates.size(); a-- > 0; place /= layout_.mesh->axes[a].size)
      coordinates[a] = place % layout_.mesh->axes[a].size;
    return coordinates;
  }
  int place_with(const std::vector<int>& coordinates) const {
    int place = 0;
    for (size_t a = 0; a < coordinates.size(); ++a)
      place = place * layout_.mesh->axes[a].size + coordinates[a];
    return place;
  }
  /// The place's box by the rule of layouts: part i of n begins at extent * i / n.
  Box box(int place) const {
    const std::vector<int> at = coordinates(place);
    Box box{Shape(global_.size()), Shape(global_.size())};
    for (size_t d = 0; d < global_.size(); ++d) {
      int64_t part = 0, parts = 1;
      for (const AxisId axis : layout_.dims[d]) {
        const auto a = static_cast<size_t>(axis);
        part = part * layout_.mesh->axes[a].size + at[a];
        parts *= layout_.mesh->axes[a].size;
      }
      box.begin[d] = global_[d] * part / parts;
      box.size[d] = global_[d] * (part + 1) / parts - box.begin[d];
    }
    return box;
  }
  const Layout& layout() const { return layout_; }

 private:
  const Layout& layout_;
  const Shape& global_;
};

/// The flat indices of the box's elements in the global tensor, row-major.
std::vector<size_t> elements_of(const Box& box, const Shape& global) {
  std::vector<size_t> elements{0};
  for (size_t d = 0; d < global.size(); ++d) {
    std::vector<size_t> longer;
    for (const size_t element : elements)
      for (int64_t i = 0; i < box.size[d]; ++i)
        longer.push_back(element * static_cast<size_t>(global[d]) +
                         static_cast<size_t>(box.begin[d] + i));
    elements = std::move(longer);
  }
  return elements;
}

template <typename T>
T combined(ReduceOp op, T a, T b) {
  if (op == ReduceOp::kMax) return std::max(a, b);
  return op == ReduceOp::kMin ? std::min(a, b) : a + b;
}

/// The elements that one rank holds, by their index in the global tensor.
template <typename T>
struct Held {
  std::vector<bool> has;
  std::vector<T> value;
};

template <typename T>
class Simulation {
 public:
  explicit Simulation(const Shape& global)
      : global_(global), count_(static_cast<size_t>(element_count(global))) {}

  void load(const Layout& layout, const std::map<Rank, Shard<T>>& shards) {
    const Holding holding(layout, global_);
    for (int place = 0; place < holding.places(); ++place) {
      const Rank rank = holding.rank_at(place);
      const auto found = shards.find(rank);
      require(found != shards.end(), "rank {} of the plan's source has no values", rank);
      const Box box = holding.box(place);
      const std::vector<size_t> elements = elements_of(box, global_);
      require(found->second.box == box && found->second.values.size() == elements.size(),
              "rank {} has {} values for {} but the plan's source gives it {}", rank,
              found->second.values.size(), to_string(found->second.box), to_string(box));
      Held<T>& held = held_[rank] = nothing();
      for (size_t i = 0; i < elements.size(); ++i) {
        held.has[elements[i]] = true;
        held.value[elements[i]] = found->second.values[i];
      }
    }
  }

  void step(const Layout& before, const Step& step) {
    const ErrorContext context([&] {
      return fmt::format("simulating {} from {} to {}", to_string(step.kind), to_string(before),
                         to_string(step.after));
    });
    check_partial(before, step);
    const Holding source(before, global_), target(step.after, global_);
    std::map<Rank, Held<T>> after;
    for (int place = 0; place < target.places(); ++place) {
      const Rank rank = target.rank_at(place);
      const std::vector<std::vector<Rank>> terms = terms_for(source, target, step, place);
      Held<T>& held = after[rank] = nothing();
      const std::vector<size_t> elements = elements_of(target.box(place), global_);
      for (const size_t element : elements) {
        held.has[element] = true;
        held.value[element] = take(terms, element, rank, before, step);
      }
      if (step.kind == StepKind::kAllReduce) count_all_reduce(terms, elements.size(), rank);
    }
    held_ = std::move(after);
  }

  PlanRun<T> result(const Layout& layout) const {
    PlanRun<T> run{{}, received_};
    const Holding holding(layout, global_);
    for (int place = 0; place < holding.places(); ++place) {
      const Held<T>& held = held_.at(holding.rank_at(place));
      Shard<T>& shard = run.shards[holding.rank_at(place)];
      shard.box = holding.box(place);
      for (const size_t element : elements_of(shard.box, global_))
        shard.values.push_back(held.value[element]);
    }
    return run;
  }

 private:
  Held<T> nothing() const { return {std::vector<bool>(count_), std::vector<T>(count_)}; }

  static bool is_exchange(const Step& step) {
    return step.kind == StepKind::kExchange || step.kind == StepKind::kSendReceive;
  }
  static bool combines(const Step& step) {
    return step.kind == StepKind::kAllReduce || step.kind == StepKind::kReduceScatter;
  }

  /// Partial values may only disappear by being combined, and none may appear.
  static void check_partial(const Layout& before, const Step& step) {
    std::vector<Partial> left = before.partial;
    if (combines(step)) {
      const auto gone = std::erase_if(left, [&](const Partial& p) { return p.axis == step.axis; });
      if (gone != 1) fail(ErrorCode::kInternal, "there are no partial values to combine");
    }
    const bool fits =
        is_exchange(step)
            ? std::includes(left.begin(), left.end(), step.after.partial.begin(),
                            step.after.partial.end(),
                            [](const Partial& a, const Partial& b) { return a.axis < b.axis; })
            : left == step.after.partial;
    if (!fits) fail(ErrorCode::kInternal, "partial values appear or disappear");
  }

  /// The ranks that may have an element: one list per term that is to be combined.
  static std::vector<std::vector<Rank>> terms_for(const Holding& source, const Holding& target,
                                                  const Step& step, int place) {
    if (is_exchange(step)) return terms_of_exchange(source, target, place);
    std::vector<int> at = target.coordinates(place);
    if (step.kind == StepKind::kSlice) return {{source.rank_at(place)}};
    std::vector<std::vector<Rank>> terms(combines(step) ? 0 : 1);
    const auto axis = static_cast<size_t>(step.axis);
    for (int i = 0; i < source.layout().mesh->axes.at(axis).size; ++i) {
      at[axis] = i;
      const Rank rank = source.rank_at(source.place_with(at));
      if (combines(step))
        terms.push_back({rank});
      else
        terms[0].push_back(rank);
    }
    return terms;
  }

  static std::vector<std::vector<Rank>> terms_of_exchange(const Holding& source,
                                                          const Holding& target, int place) {
    std::map<std::vector<int>, std::vector<Rank>> terms;
    for (int from = 0; from < source.places(); ++from) {
      const std::vector<int> at = source.coordinates(from);
      std::vector<int> term;
      bool is_kept_elsewhere = false;
      for (const Partial& partial : source.layout().partial) {
        const auto axis = static_cast<size_t>(partial.axis);
        const auto& kept = target.layout().partial;
        if (std::find(kept.begin(), kept.end(), partial) == kept.end())
          term.push_back(at[axis]);
        else
          is_kept_elsewhere |= target.coordinates(place)[axis] != at[axis];
      }
      if (!is_kept_elsewhere) terms[term].push_back(source.rank_at(from));
    }
    std::vector<std::vector<Rank>> lists;
    lists.reserve(terms.size());
    for (auto& [term, ranks] : terms) lists.push_back(std::move(ranks));
    return lists;
  }

  T take(const std::vector<std::vector<Rank>>& terms, size_t element, Rank rank,
         const Layout& before, const Step& step) {
    T value{};
    for (size_t t = 0; t < terms.size(); ++t) {
      std::vector<Rank> holders;
      for (const Rank source : terms[t])
        if (held_.at(source).has[element]) holders.push_back(source);
      if (holders.empty()) fail(ErrorCode::kInternal, "rank {} misses element {}", rank, element);
      if (!is_exchange(step) && holders.size() > 1)
        fail(ErrorCode::kInternal, "rank {} gets element {} from {} ranks", rank, element,
             holders.size());
      const bool own = std::find(holders.begin(), holders.end(), rank) != holders.end();
      const T one = held_.at(own ? rank : holders.front()).value[element];
      if (!own && step.kind != StepKind::kAllReduce) ++received_[rank];
      value = t == 0 ? one : combined(before.partial.front().op, value, one);
    }
    return value;
  }

  void count_all_reduce(const std::vector<std::vector<Rank>>& terms, size_t elements, Rank rank) {
    const auto others = static_cast<int64_t>(terms.size()) - 1;
    const auto count = static_cast<int64_t>(elements);
    received_[rank] += 2 * others * ((count + others) / (others + 1));
  }

  const Shape& global_;
  size_t count_;
  std::map<Rank, Held<T>> held_;
  std::map<Rank, int64_t> received_;
};

}  // namespace

template <typename T>
PlanRun<T> run_plan(const Plan& plan, const Shape& global, const std::map<Rank, Shard<T>>& shards) {
  Simulation<T> simulation(global);
  simulation.load(plan.from, shards);
  const Layout* before = &plan.from;
  for (const Step& step : plan.steps) {
    simulation.step(*before, step);
    before = &step.after;
  }
  return simulation.result(*before);
}

template PlanRun<int64_t> run_plan(const Plan&, const Shape&,
                                   const std::map<Rank, Shard<int64_t>>&);
template PlanRun<double> run_plan(const Plan&, const Shape&, const std::map<Rank, Shard<double>>&);

}  // namespace tessera
