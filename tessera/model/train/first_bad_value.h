// Where a computation left the numbers.
#pragma once

#include <map>
#include <string>

#include "tessera/graph/graph.h"

namespace tessera::internal {

/// Runs the graph by its reference kernels until a node gives a value with an element that is no
/// finite number: "the first value that is no finite number is conv2d 'v7' of conv2: 3 of its 100
/// elements, the first at [0,1,2]". Inputs and parameters, by their names, that are not given are
/// left out with what depends on them.
std::string first_bad_value(const Graph& graph,
                            const std::map<std::string, Tensor, std::less<>>& given);

}  // namespace tessera::internal
