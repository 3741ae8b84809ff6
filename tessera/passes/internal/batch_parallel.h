// MindSpore's default for operators without a strategy: dim 0 by as many ranks as divide it.
//
//   matmul of [12,96], [96,16] on 8 ranks: ((4,1),(1,1))
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tessera/graph/graph.h"
#include "tessera/passes/shard.h"

namespace tessera::internal {

/// Per value the node that computes it, or -1.
std::vector<int> producers(const Graph& graph);

/// Whether a node adds the bias of a dense layer, as split_ends leaves it: what MindSpore calls
/// BiasAdd and does on rows.
bool is_dense_bias(const Graph& graph, const Node& node, const std::vector<int>& producers);

/// Nothing for reshape, which never has a strategy. `by_rows`: of dense and its bias.
std::optional<Pieces> batch_parallel(std::string_view op, const ShardingRule& rule, int ranks,
                                     bool by_rows);

}  // namespace tessera::internal
