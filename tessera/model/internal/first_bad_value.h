// Where a computation left the numbers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::internal {

/// Runs the graph by its reference kernels, parameters by their names, until a node gives a value
/// with an element that is no finite number: "conv2d 'v7' of conv2 has 3 such elements of 100, the
/// first at [0,1,2]". Inputs that are not given are left out with what depends on them.
std::string first_bad_value(const Graph& graph,
                            const std::map<std::string, Tensor, std::less<>>& parameters,
                            const std::vector<Tensor>& inputs);

}  // namespace tessera::internal
