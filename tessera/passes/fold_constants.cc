#include "tessera/passes/fold_constants.h"

#include <algorithm>

#include "tessera/graph/evaluate_node.h"
#include "tessera/passes/internal/rewriter.h"

namespace tessera {

Graph fold_constants(Graph graph) {
  const bool any = std::ranges::any_of(graph.nodes, [&](const Node& node) {
    return std::ranges::all_of(node.operands,
                               [&](ValueId id) { return graph.constants.contains(id); });
  });
  if (!any) return graph;
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
    std::vector<Tensor> values = evaluate_node(graph, node, operands);
    for (size_t r = 0; r < values.size(); ++r) {
      rewriter.constant_for(node.results[r], std::move(values[r]));
    }
  }
  return rewriter.finish();
}

}  // namespace tessera
