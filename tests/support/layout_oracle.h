// What layouts and plans mean, said again for tests, element by element and without the library's
// arithmetic: who holds which element, and the values of ranks that hold partial sums.
#pragma once

#include <gtest/gtest.h>

#include <random>

#include "tessera/layout/redistribute.h"
#include "tessera/layout/simulate_plan.h"

namespace tessera::testing {

/// The rank's coordinates on the mesh, by counting through the grid.
inline std::vector<int> coordinates_by_counting(const Mesh& mesh, Rank rank) {
  std::vector<int> at(mesh.axes.size(), 0);
  for (size_t place = 0;; ++place) {
    const Rank here = mesh.ranks.empty() ? static_cast<Rank>(place) : mesh.ranks.at(place);
    if (here == rank) return at;
    size_t a = at.size();
    while (a > 0 && ++at[a - 1] == mesh.axes[a - 1].size) at[--a] = 0;
    if (a == 0) throw std::out_of_range("no such rank");
  }
}

/// The ranks of a mesh in the order of their places.
inline std::vector<Rank> all_ranks(const Mesh& mesh) {
  std::vector<Rank> ranks;
  for (int place = 0; place < mesh.rank_count(); ++place)
    ranks.push_back(mesh.ranks.empty() ? place : mesh.ranks[static_cast<size_t>(place)]);
  return ranks;
}

/// The flat indices of the elements that the rank holds, ascending.
inline std::vector<int64_t> elements_by_counting(const Layout& layout, const Shape& global,
                                                 Rank rank) {
  const std::vector<int> at = coordinates_by_counting(*layout.mesh, rank);
  std::vector<int64_t> held{0};
  for (size_t d = 0; d < global.size(); ++d) {
    int64_t part = 0, parts = 1;
    for (const AxisId axis : layout.dims[d]) {
      const auto a = static_cast<size_t>(axis);
      parts *= layout.mesh->axes[a].size;
      part = part * layout.mesh->axes[a].size + at[a];
    }
    std::vector<int64_t> longer;
    for (const int64_t element : held)
      for (int64_t i = 0; i < global[d]; ++i)
        if (global[d] * part / parts <= i && i < global[d] * (part + 1) / parts)
          longer.push_back(element * global[d] + i);
    held = std::move(longer);
  }
  return held;
}

/// Every layout with `ndim` dims on the mesh; with partial sums where `partial`.
inline std::vector<Layout> every_layout(const MeshPtr& mesh, size_t ndim, bool partial) {
  std::vector<Layout> layouts{replicated(mesh, ndim)};
  for (AxisId axis = 0; axis < static_cast<AxisId>(mesh->axes.size()); ++axis) {
    std::vector<Layout> more;
    for (const Layout& layout : layouts) {
      more.push_back(layout);
      for (size_t d = 0; d < ndim; ++d)
        for (size_t i = 0; i <= layout.dims[d].size(); ++i) {
          more.push_back(layout);
          auto& dim = more.back().dims[d];
          dim.insert(dim.begin() + static_cast<std::ptrdiff_t>(i), axis);
        }
      if (!partial) continue;
      more.push_back(layout);
      more.back().partial.push_back({axis, ReduceOp::kSum});
    }
    layouts = std::move(more);
  }
  return layouts;
}

/// A mesh of up to 4 axes, size 1 included, on plain or listed ranks, and a layout over it.
inline Layout random_layout(std::mt19937& random, size_t ndim) {
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  static const std::vector<std::string> kNames = {"dp", "tp", "d0", "x.1", "Z_9", "max", "7"};
  std::vector<MeshAxis> axes;
  for (size_t a = below(5), first = below(4); a > 0; --a)
    axes.push_back({kNames[first + a - 1], 1 + static_cast<int>(below(4))});
  Layout layout{make_mesh(axes), std::vector<std::vector<AxisId>>(ndim), {}};
  if (below(2) == 0) {
    std::vector<Rank> ranks;
    const Rank first = static_cast<Rank>(below(3)), step = 1 + static_cast<Rank>(below(2));
    for (int i = 0; i < layout.mesh->rank_count(); ++i) ranks.push_back(first + i * step);
    if (below(2) == 0) std::shuffle(ranks.begin(), ranks.end(), random);
    layout.mesh = make_mesh(axes, ranks);
  }
  for (size_t a = 0; a < axes.size(); ++a) {
    const size_t use = below(ndim + 2);
    if (use < ndim) {
      auto& dim = layout.dims[use];
      dim.insert(dim.begin() + static_cast<std::ptrdiff_t>(below(dim.size() + 1)),
                 static_cast<AxisId>(a));
    } else if (use == ndim) {
      layout.partial.push_back({static_cast<AxisId>(a), static_cast<ReduceOp>(below(3))});
    }
  }
  return layout;
}

/// The values of a tensor whose ranks may hold partial ones: term c of element e, where c counts
/// through the coordinates along the layout's partial axes.
class Terms {
 public:
  Terms(const Layout& layout, const Shape& global, uint32_t seed) : layout_(layout) {
    std::mt19937 random(seed);
    for (const Partial& partial : layout.partial)
      terms_ *= static_cast<size_t>(layout.mesh->axes[static_cast<size_t>(partial.axis)].size);
    elements_ = static_cast<size_t>(element_count(global));
    for (size_t i = 0; i < terms_ * elements_; ++i)
      values_.push_back(static_cast<int64_t>(random() % 2000001) - 1000000);
  }

  /// What a rank with these coordinates has for element e in `layout`, which is partial over some
  /// of the axes of the first layout: the terms of the other axes are combined.
  int64_t value(const Layout& layout, const std::vector<int>& at, int64_t element) const {
    std::optional<int64_t> value;
    for (size_t c = 0; c < terms_; ++c) {
      if (!is_kept(layout, at, c)) continue;
      const int64_t one = values_[c * elements_ + static_cast<size_t>(element)];
      if (!value)
        value = one;
      else if (layout_.partial.front().op == ReduceOp::kSum)
        *value += one;
      else
        value = layout_.partial.front().op == ReduceOp::kMax ? std::max(*value, one)
                                                             : std::min(*value, one);
    }
    return value.value();
  }

 private:
  bool is_kept(const Layout& layout, const std::vector<int>& at, size_t term) const {
    for (size_t p = layout_.partial.size(); p-- > 0;) {
      const auto axis = static_cast<size_t>(layout_.partial[p].axis);
      const auto size = static_cast<size_t>(layout_.mesh->axes[axis].size);
      const auto& kept = layout.partial;
      const bool stays = std::find(kept.begin(), kept.end(), layout_.partial[p]) != kept.end();
      if (stays && term % size != static_cast<size_t>(at.at(axis))) return false;
      term /= size;
    }
    return true;
  }

  Layout layout_;
  size_t terms_ = 1;
  size_t elements_ = 0;
  std::vector<int64_t> values_;
};

/// What every rank holds of the tensor in this layout.
inline std::map<Rank, Shard<int64_t>> shards_of(const Terms& terms, const Layout& layout,
                                                const Shape& global) {
  std::map<Rank, Shard<int64_t>> shards;
  for (const Rank rank : all_ranks(*layout.mesh)) {
    const std::vector<int> at = coordinates_by_counting(*layout.mesh, rank);
    Shard<int64_t>& shard = shards[rank];
    shard.box = local_box(layout, global, rank);
    for (const int64_t element : elements_by_counting(layout, global, rank))
      shard.values.push_back(terms.value(layout, at, element));
  }
  return shards;
}

/// Runs the plan and checks every rank's box and every value. Returns what was received.
inline std::map<Rank, int64_t> expect_moves_every_element(const Plan& plan, const Layout& to,
                                                          const Shape& global) {
  SCOPED_TRACE(to_string(plan) + "\nshould give " + to_string(to) + " of " + to_string(global));
  const Terms terms(plan.from, global, 7);
  const PlanRun<int64_t> run = run_plan(plan, global, shards_of(terms, plan.from, global));
  const Layout& end = plan.steps.empty() ? plan.from : plan.steps.back().after;
  EXPECT_EQ(run.shards, shards_of(terms, end, global));
  for (const auto& [rank, shard] : run.shards) EXPECT_EQ(shard.box, local_box(to, global, rank));
  EXPECT_EQ(run.shards.size(), static_cast<size_t>(to.mesh->rank_count()));
  return run.received;
}

}  // namespace tessera::testing
