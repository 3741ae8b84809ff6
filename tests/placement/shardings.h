// Every sharding of a node, and every layout of a tensor, over the axes of a mesh: on {dp=2,tp=4} a
// product has "[dp tp, -], [-, -]", "[dp, tp], [tp, -]" and so on.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"
#include "tessera/layout/rule_layouts.h"

namespace tessera::testing {

using Random = std::mt19937_64;
/// A number of [0, bound).
size_t below(Random& random, size_t bound);
bool chance(Random& random, int percent);

/// The rule of a node of a graph.
ShardingRule rule_of_node(const Graph& graph, size_t node);

/// What Node::sharding says for these operand layouts; `with_mesh`: over their own mesh.
std::string sharding_text(const std::vector<Layout>& operands, bool with_mesh);

/// All legal ones, each axis at one factor of an operand or at none, in every order.
std::vector<RuleLayouts> every_sharding(const ShardingRule& rule, const MeshPtr& mesh);
RuleLayouts random_sharding(const ShardingRule& rule, const MeshPtr& mesh, Random& random);

std::vector<Layout> every_layout(size_t ndim, const MeshPtr& mesh);
Layout random_layout(size_t ndim, const MeshPtr& mesh, Random& random);

}  // namespace tessera::testing
