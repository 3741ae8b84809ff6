#include "tessera/layout/moves.h"

#include <algorithm>

#include "tessera/base/error.h"

namespace tessera {
namespace {

size_t index(int at) {
  return static_cast<size_t>(at);
}

/// Whether the dim's axes are the first of those that the goal wants there.
bool is_begun(const Layout& layout, const Layout& goal, size_t dim) {
  const auto &has = layout.dims[dim], &wanted = goal.dims[dim];
  return has.size() <= wanted.size() && std::equal(has.begin(), has.end(), wanted.begin());
}

/// The dim that the axis can join now because the goal wants it there next, or -1.
int next_dim(const Layout& layout, const Layout& goal, AxisId axis) {
  for (size_t d = 0; d < goal.dims.size(); ++d) {
    const size_t done = layout.dims[d].size();
    if (is_begun(layout, goal, d) && done < goal.dims[d].size() && goal.dims[d][done] == axis)
      return static_cast<int>(d);
  }
  return -1;
}

}  // namespace

Layout applied(Layout layout, const Move& move) {
  if (move.kind == StepKind::kAllReduce || move.kind == StepKind::kReduceScatter)
    std::erase_if(layout.partial, [&](const Partial& one) { return one.axis == move.axis; });
  if (move.from_dim >= 0) layout.dims[index(move.from_dim)].pop_back();
  if (move.to_dim >= 0) layout.dims[index(move.to_dim)].push_back(move.axis);
  return layout;
}

/// The steps that combine partial values which the goal does not want apart.
std::vector<Move> reductions_from(const Layout& layout, const Layout& goal) {
  std::vector<Move> moves;
  for (const Partial& partial : layout.partial) {
    if (std::find(goal.partial.begin(), goal.partial.end(), partial) != goal.partial.end())
      continue;
    for (int d = 0; d < static_cast<int>(layout.dims.size()); ++d)
      moves.push_back({StepKind::kReduceScatter, partial.axis, -1, d});
    moves.push_back({StepKind::kAllReduce, partial.axis, -1, -1});
  }
  return moves;
}

/// The steps that move axes which cut dims.
std::vector<Move> moves_from(const Layout& layout) {
  std::vector<Move> moves;
  const int ndim = static_cast<int>(layout.dims.size());
  for (const AxisId axis : replica_axes(layout))
    for (int d = 0; d < ndim && layout.mesh->axes[index(axis)].size > 1; ++d)
      moves.push_back({StepKind::kSlice, axis, -1, d});
  for (int from = 0; from < ndim; ++from) {
    if (layout.dims[index(from)].empty()) continue;
    const AxisId axis = layout.dims[index(from)].back();
    moves.push_back({StepKind::kAllGather, axis, from, -1});
    for (int to = 0; to < ndim; ++to)
      if (to != from) moves.push_back({StepKind::kAllToAll, axis, from, to});
  }
  return moves;
}

/// The layout without axes of size 1, which neither cut nor hold anything apart.
Layout without_ones(const Layout& layout) {
  Layout result{layout.mesh, {}, {}};
  const auto counts = [&](AxisId axis) { return layout.mesh->axes[index(axis)].size > 1; };
  for (const auto& dim : layout.dims) {
    std::vector<AxisId>& kept = result.dims.emplace_back();
    std::copy_if(dim.begin(), dim.end(), std::back_inserter(kept), counts);
  }
  std::copy_if(layout.partial.begin(), layout.partial.end(), std::back_inserter(result.partial),
               [&](const Partial& partial) { return counts(partial.axis); });
  return result;
}

Move straight_move(const Layout& layout, const Layout& goal) {
  for (const AxisId axis : replica_axes(layout))
    if (const int to = next_dim(layout, goal, axis); to >= 0)
      return {StepKind::kSlice, axis, -1, to};
  const std::vector<Move> reductions = reductions_from(layout, goal);
  for (const Move& move : reductions)
    if (move.kind == StepKind::kReduceScatter && move.to_dim == next_dim(layout, goal, move.axis))
      return move;
  for (size_t d = 0; d < layout.dims.size(); ++d) {
    if (is_begun(layout, goal, d)) continue;
    const AxisId axis = layout.dims[d].back();
    if (const int to = next_dim(layout, goal, axis); to >= 0)
      return {StepKind::kAllToAll, axis, static_cast<int>(d), to};
  }
  for (size_t d = 0; d < layout.dims.size(); ++d)
    if (!is_begun(layout, goal, d))
      return {StepKind::kAllGather, layout.dims[d].back(), static_cast<int>(d), -1};
  // Every dim is begun, so what is missing are axes of partial values that are wanted nowhere.
  for (const Move& move : reductions)
    if (move.kind == StepKind::kAllReduce) return move;
  fail(ErrorCode::kInternal, "no step from {} to {}", to_string(layout), to_string(goal));
}

}  // namespace tessera
