// The graph of one rank: local parts of all values, and collectives as ordinary nodes where a value
// changes its layout.
//
//   v2 = matmul(x, w) : f32[8,6] at [0,0]+[4,6]
//   v2.1 = all_reduce(v2) {after="{tp=2} [-, -]", axis="tp", before="{tp=2} [-, -] +tp"} : f32[8,6]
#pragma once

#include "tessera/passes/place.h"

namespace tessera {

/// Nodes and parameters of other pipeline stages are left out; constants are cut. The ranks' graphs
/// run the same collectives in the same order. Throws kInvalidArgument when the placement has no
/// such rank.
Graph lower(const Placed& placed, Rank rank);

/// The part of an input or parameter that a rank has to be given: empty where its layout has not
/// the rank.
Box part_of(const Placed& placed, ValueId value, Rank rank);

}  // namespace tessera
