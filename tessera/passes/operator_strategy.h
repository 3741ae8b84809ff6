// The strategies of operators by MindSpore's names: what a strategy file says of the nodes of a
// graph, and what it will say of a placed one.
//
//   MatMul_fc1.weight  ((2,1),(4,1))     dense(x, fc1.weight), as MatMul of transposed weights
//   BiasAdd_fc1.bias   ((2,4),(4,))      bias_add(v, fc1.bias)
//   Gather_table       ((1,4),(2,))      gather(table, i), or embedding(i, table)
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tessera/passes/place.h"
#include "tessera/passes/shard.h"

namespace tessera {

struct OperatorPieces {
  std::string name;
  int stage = 0;
  Pieces pieces;  // in the order of MindSpore's operands; empty: it was sharded by layouts
};

/// The names that MindSpore may give a node: "<primitive>_<its first parameter>", the usual one
/// first. None where it reads no parameter, and for reshape.
std::vector<std::string> operator_keys(const Graph& graph, const Node& node);

/// Gives every node that one of `operators` names its pieces; shardings that nodes have already
/// stay. Throws kNotFound, with the nearest names, for one that the graph has not, and kUnsupported
/// for one that was sharded by layouts, unless a pattern of `allow` matches it: then it is left
/// out.
void shard_operators(Graph& graph, std::span<const OperatorPieces> operators,
                     std::span<const std::string> allow = {});

/// The strategies of all nodes that read parameters, each name once.
std::vector<OperatorPieces> operators_of(const Placed& placed);

}  // namespace tessera
