// What the steps of a redistribution cost, for the planner: the traffic of the rank that receives
// most, by arithmetic on the numbers of parts, without looking at every rank.
#pragma once

#include <array>
#include <map>

#include "tessera/layout/moves.h"

namespace tessera {

/// The costs of steps on one tensor. Remembers what uneven extents took long to count.
class StepCosts {
 public:
  StepCosts(const Shape& global, int64_t element_bytes, const CostModel& model)
      : global_(global), element_bytes_(element_bytes), model_(model) {}

  /// The cost of a collective over an axis of `size` where dim d was cut into counts[d] parts.
  double of_move(const Move& move, const std::vector<int>& counts, int size);
  /// The cost of an exchange: looks at every rank of `to`.
  double of_exchange(const Layout& from, const Layout& to) const;
  /// Whether every rank receives from at most one other in it.
  bool is_send_receive(const Layout& from, const Layout& to) const;
  /// What one rank receives in a step.
  Traffic traffic(const Layout& before, const Step& step, Rank rank) const;

 private:
  /// The elements of the largest part of dim `dim` in `count` parts.
  double largest(size_t dim, int count) const;
  /// The product of the largest parts over all dims but `a` and `b` (-1: over all).
  double largest_of_others(const std::vector<int>& counts, int a, int b) const;
  double gathered(size_t dim, int count, int size);
  double turned(const Move& move, const std::vector<int>& counts, int size);

  double price(const Traffic& traffic) const {
    return model_.latency_bytes * static_cast<double>(traffic.messages) +
           static_cast<double>(traffic.bytes);
  }
  /// In a group of `size` each rank receives from every other, or partial results go round in a
  /// ring twice, whichever is cheaper.
  Traffic all_reduce(int64_t elements, int size) const;

  const Shape& global_;
  int64_t element_bytes_;
  CostModel model_;
  std::map<std::array<int64_t, 3>, double> gathered_;
  std::map<std::array<int64_t, 5>, double> turned_;
};

}  // namespace tessera
