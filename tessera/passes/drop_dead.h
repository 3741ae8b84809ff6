// Drops nodes and constants that no output needs. Inputs and parameters stay declared: they are how
// a graph is called, and what a checkpoint has to hold.
#pragma once

#include "tessera/graph/graph.h"

namespace tessera {

Graph drop_dead(Graph graph);

}  // namespace tessera
