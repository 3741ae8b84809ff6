// The placements that are tried: lists of all of a kind, and random ones.
#pragma once

#include "tests/placement/placement_case.h"
#include "tests/placement/shardings.h"

namespace tessera::testing {

/// The meshes with which all shardings are tried: of 2, 3, 4, 6 and 8 ranks.
const std::vector<std::string>& meshes();

/// Every sharding of every node of the nets, the other nodes following.
std::vector<PlacementCase> sharding_cases();
/// For every edge of the nets and small meshes: each layout in which the value is computed (or
/// given) with each in which it is read; on a two-op graph also with all meshes of the ranks.
std::vector<PlacementCase> edge_cases();
/// Each axis of the mesh cuts the same dim of every node that lets it.
std::vector<PlacementCase> uniform_cases();

PlacementCase random_case(Random& random);

}  // namespace tessera::testing
