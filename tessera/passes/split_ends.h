// Takes the bias out of conv2d, dense and matmul, into a node of its own after them: a product
// whose sum is cut over ranks must be whole again before the bias is added, and MindSpore names and
// shards the two apart. The opposite of fuse, for what the layers of nn join.
#pragma once

#include "tessera/graph/graph.h"

namespace tessera {

Graph split_ends(const Graph& graph);

}  // namespace tessera
