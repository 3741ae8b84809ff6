// A value of a graph that is being built: the operand and the result of the functions that add
// nodes.
#pragma once

#include "tessera/graph/graph.h"

namespace tessera {

/// A handle; the graph must outlive it.
struct Value {
  Graph* graph = nullptr;
  ValueId id = -1;

  const Shape& shape() const { return graph->values[static_cast<size_t>(id)].shape; }
  DType dtype() const { return graph->values[static_cast<size_t>(id)].dtype; }
};

}  // namespace tessera
