// Weights that are made by a rule from the names of the parameters, so that a network's logits can
// be compared with MindSpore's without storing weights. The rule is that of the README beside the
// recorded values: FNV-1a of the name seeds splitmix64, the last part of the name says the range.
#pragma once

#include <string_view>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::testing {

/// Weights have the variance gain / (3 · fan_in): 3 is the plain rule, 6 keeps the signal of deep
/// networks alive.
Tensor made_parameter(std::string_view name, const Shape& shape, float gain);
/// All parameters of the graph, in its order.
std::vector<Tensor> made_parameters(const Graph& graph, float gain);
/// The input that goes with them: elements in [-1,1).
Tensor made_input(const Shape& shape);

}  // namespace tessera::testing
