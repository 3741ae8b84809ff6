// How a strategy (layouts.txt, or a strategy file) says that a network is to lie on its ranks.
//
//   const Strategy rules = read_strategy("rules.txt");
//   RunOptions options{.world = &world, .place = place_by(rules, world.size())};
#pragma once

#include "tessera/checkpoint/strategy.h"
#include "tessera/model/model.h"

namespace tessera {

/// Placement by the layouts of `strategy`, which may name inputs too; what it does not name follows
/// from the ops' rules. The mesh is that of its first layout, or `mesh` where it is given. Throws
/// kInvalidArgument when the strategy is for another number of ranks.
PlaceOptions place_by(const Strategy& strategy, int ranks, MeshPtr mesh = nullptr);

/// Throws kNotFound, with the nearest names, when the strategy names (not by a pattern) a tensor
/// that the network has not, or a pattern matches nothing: it is of another network.
void check_rules(const Strategy& strategy, const Graph& graph);

}  // namespace tessera
