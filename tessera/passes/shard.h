// How one node is asked to be sharded: Node::sharding in one of two notations.
//
//   ((2,1),(1,4))              MindSpore's: a tuple per operand, the number of pieces per dim. The
//                              ranks form a device matrix; see device_matrix
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

/// The device matrix of a sharding, as MindSpore orders it: a mesh over `ranks` with an axis per
/// factor of the rule that is cut, called d0, d1, … from the left. Dims that broadcast come first
/// (aligned from the right), then the others in the order in which the operands have them: matmul
/// [batch…, m, k, n], conv2d [n, c_in, c_out], gather [indices…, x…]. Ranks that are left over
/// repeat along an axis after these; before them where gather cuts the dim it looks up.
///
/// MindSpore's Dense and its BiasAdd see rows only: where x of dense or add has more dims than two
/// numbers, the first is for all dims but the last, and is spread over them from the left, over
/// axes d0.0, d0.1, … Throws kInvalidArgument naming operand, dim and numbers where the pieces do
/// not fit the rule, the shapes or the ranks: as many tuples as operands and numbers as dims, equal
/// pieces of one factor in all operands, no more pieces than elements, no piece of what must be
/// whole, and a product that divides the ranks.
struct DeviceMatrix {
  MeshPtr mesh;
  FactorAxes axes;
};
DeviceMatrix device_matrix(std::string_view op, const ShardingRule& rule, const Pieces& pieces,
                           std::span<const Rank> ranks);

/// The layouts that the pieces ask for. Throws kInvalidArgument.
RuleLayouts layouts_of_pieces(std::string_view op, const ShardingRule& rule, const Pieces& pieces,
                              const MeshPtr& mesh);

/// What a node's sharding says for a call of `op` with this rule. `mesh`: the job's (of the node's
/// stage). Throws kInvalidArgument.
RuleLayouts read_sharding(std::string_view sharding, std::string_view op, const ShardingRule& rule,
                          const MeshPtr& mesh);

}  // namespace tessera
