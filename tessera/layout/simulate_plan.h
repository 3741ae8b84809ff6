// Runs a plan of redistribution on values, element by element, in one process. It decides by itself
// which rank holds which element and shares no arithmetic with the planner, so that it finds the
// planner's faults: an element that no rank of a group holds, one that is held twice, a partial
// value that is lost or counted twice. For tests and small tensors: it keeps every rank's elements.
#pragma once

#include <map>
#include <vector>

#include "tessera/layout/redistribute.h"

namespace tessera {

/// What one rank holds: its box of the global tensor, row-major.
template <typename T>
struct Shard {
  Box box;
  std::vector<T> values;
  bool operator==(const Shard&) const = default;
};

template <typename T>
struct PlanRun {
  std::map<Rank, Shard<T>> shards;
  /// The elements that each rank took from others; an all-reduce counts those of its parts.
  std::map<Rank, int64_t> received;
};

/// What the ranks hold after the plan. `shards` has one entry per rank of plan.from, with the box
/// that the layout gives it. Throws kInvalidArgument when it has not, and kInternal when a step
/// cannot be carried out as its kind says. T is int64_t or double.
template <typename T>
PlanRun<T> run_plan(const Plan& plan, const Shape& global, const std::map<Rank, Shard<T>>& shards);

}  // namespace tessera
