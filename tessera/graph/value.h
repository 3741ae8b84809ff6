// A value of a graph that is being built: the operand and the result of the functions that add
// nodes.
#pragma once

#include <utility>

#include "tessera/graph/graph.h"

namespace tessera {

/// A handle; the graph must outlive it.
struct Value {
  Graph* graph = nullptr;
  ValueId id = -1;

  const Shape& shape() const { return graph->values[static_cast<size_t>(id)].shape; }
  DType dtype() const { return graph->values[static_cast<size_t>(id)].dtype; }
};

/// While it lives, the functions of tessera/ops/ops.h add nodes of this scope to the graph.
class InScope {
 public:
  InScope(Graph& graph, std::string scope)
      : graph_(graph), outer_(std::exchange(graph.scope, std::move(scope))) {}
  ~InScope() { graph_.scope = std::move(outer_); }
  InScope(const InScope&) = delete;
  InScope& operator=(const InScope&) = delete;

 private:
  Graph& graph_;
  std::string outer_;
};

}  // namespace tessera
