#include "tessera/passes/drop_dead.h"

#include <utility>

#include "tessera/passes/internal/rewriter.h"

namespace tessera {

Graph drop_dead(Graph graph) {
  return internal::without_dead(std::move(graph));
}

}  // namespace tessera
