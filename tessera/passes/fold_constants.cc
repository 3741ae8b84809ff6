#include "tessera/passes/fold_constants.h"

#include <algorithm>

#include "tessera/passes/internal/rewriter.h"

namespace tessera {
namespace {

std::vector<Tensor> values_of(const Node& node, std::span<const Tensor> operands,
                              const Graph& graph) {
  if (!node.op->is_view) return evaluate(*node.op, operands, node.attrs);
  return {operands[0].reshape(graph.type(node.results[0]).global)};
}

}  // namespace

Graph fold_constants(const Graph& graph) {
  internal::Rewriter rewriter(graph);
  for (const Node& node : graph.nodes) {
    std::vector<Tensor> operands;
    for (const ValueId id : rewriter.of(node.operands)) {
      const auto it = rewriter.graph().constants.find(id);
      if (it != rewriter.graph().constants.end()) operands.push_back(it->second);
    }
    if (operands.size() < node.operands.size()) {
      rewriter.keep(node);
      continue;
    }
    std::vector<Tensor> values = values_of(node, operands, graph);
    for (size_t r = 0; r < values.size(); ++r) {
      rewriter.constant_for(node.results[r], std::move(values[r]));
    }
  }
  return rewriter.finish();
}

}  // namespace tessera
