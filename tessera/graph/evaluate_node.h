// What a node of a graph gives, by its op's reference kernel.
#pragma once

#include <span>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera {

/// Of whole operands; views too, which have no kernel that runs.
std::vector<Tensor> evaluate_node(const Graph& graph, const Node& node,
                                  std::span<const Tensor> operands);

}  // namespace tessera
