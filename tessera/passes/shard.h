// How one node is asked to be sharded: Node::sharding in one of two notations.
//
//   ((2,1),(1,4))              MindSpore's: a tuple per operand, the number of pieces per dim. The
//                              ranks form a device matrix with a dim per factor of the op's rule,
//                              in the order in which the rule names them; ranks that are left over
//                              repeat
//   {dp=2,mp=4} [dp, mp], [mp, -]   a layout per operand; without a mesh: over the job's
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tessera/graph/value.h"
#include "tessera/layout/rule_layouts.h"

namespace tessera {

/// Pieces per dim of each operand, as MindSpore's shard() takes them.
using Pieces = std::vector<std::vector<int>>;

/// Asks for a sharding of the node that computes `value`, which must be the result of one; gives
/// the value back. The text is checked when the graph is placed.
Value shard(Value value, std::string sharding);
Value shard(Value value, const Pieces& pieces);

/// "((2,1),(1,4))".
std::string to_string(const Pieces& pieces);
/// Reads it; throws kInvalidArgument with the place.
Pieces parse_pieces(std::string_view text);
/// Whether a sharding is in MindSpore's notation.
bool is_pieces(std::string_view sharding);

/// The device matrix of a sharding: a mesh over `ranks` with an axis per factor of the rule that is
/// cut, called d0, d1, … from the left, and the factors' axes. Throws kInvalidArgument naming
/// operand, dim and numbers where the pieces do not fit the rule, the shapes or the ranks: as many
/// tuples as operands and numbers as dims, equal pieces of one factor in all operands, extents that
/// divide, no piece of what must be whole, and a product that divides the ranks.
struct DeviceMatrix {
  MeshPtr mesh;
  FactorAxes axes;
};
DeviceMatrix device_matrix(const ShardingRule& rule, const Pieces& pieces,
                           std::span<const Rank> ranks);

/// What a node's sharding says for a call with this rule. `mesh`: the job's (of the node's stage).
/// Throws kInvalidArgument.
RuleLayouts read_sharding(std::string_view sharding, const ShardingRule& rule, const MeshPtr& mesh);

}  // namespace tessera
