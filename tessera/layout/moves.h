// The steps that are possible from a layout, for the planner: what they do to it, not what they
// cost.
#pragma once

#include <vector>

#include "tessera/layout/redistribute.h"

namespace tessera {

/// A step without the layout that it leads to.
struct Move {
  StepKind kind = StepKind::kExchange;
  AxisId axis = -1;
  int from_dim = -1;
  int to_dim = -1;
};

/// The layout after the step.
Layout applied(Layout layout, const Move& move);

/// The layout without axes of size 1, which neither cut nor hold anything apart.
Layout without_ones(const Layout& layout);

/// The steps that combine partial values which the goal does not want apart.
std::vector<Move> reductions_from(const Layout& layout, const Layout& goal);
/// The steps that move axes which cut dims, or let an axis cut one.
std::vector<Move> moves_from(const Layout& layout);
/// A step that brings the layout nearer to the goal on the same mesh, which it must not equal:
/// taking them one after the other ends there. An axis moves to its place where that is free, else
/// one that is in the way is gathered.
Move straight_move(const Layout& layout, const Layout& goal);

}  // namespace tessera
