#include "tessera/passes/drop_dead.h"

#include "tessera/passes/internal/rewriter.h"

namespace tessera {

Graph drop_dead(const Graph& graph) {
  return internal::without_dead(graph);
}

}  // namespace tessera
