// Computes nodes whose operands are all constants.
#pragma once

#include "tessera/graph/graph.h"

namespace tessera {

Graph fold_constants(Graph graph);

}  // namespace tessera
