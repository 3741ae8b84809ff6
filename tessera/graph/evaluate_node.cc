#include "tessera/graph/evaluate_node.h"

namespace tessera {

std::vector<Tensor> evaluate_node(const Graph& graph, const Node& node,
                                  std::span<const Tensor> operands) {
  if (!node.op->is_view) return evaluate(*node.op, operands, node.attrs);
  return {operands[0].reshape(graph.type(node.results[0]).global)};
}

}  // namespace tessera
