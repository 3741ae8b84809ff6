// Runs a graph by the reference kernels alone, node after node, nothing shared: the oracle of
// passes, programs and gradients.
#pragma once

#include <span>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::testing {

/// The outputs, and behind them the new values of what the graph updates. `given`: the inputs, and
/// behind them the parameters.
std::vector<Tensor> evaluate_graph(const Graph& graph, std::span<const Tensor> given);
std::vector<Tensor> evaluate_graph(const Graph& graph, std::span<const Tensor> parameters,
                                   std::span<const Tensor> inputs);

}  // namespace tessera::testing
