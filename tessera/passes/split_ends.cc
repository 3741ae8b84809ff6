#include "tessera/passes/split_ends.h"

#include "tessera/passes/internal/rewriter.h"

namespace tessera {
namespace {

bool has_bias_alone(const Node& node) {
  const std::string_view op = node.op->name;
  const bool product = op == "conv2d" || op == "dense" || op == "matmul";
  return product && node.operands.size() == 3 &&
         std::get<std::string>(node.attrs.at("activation")).empty();
}

}  // namespace

Graph split_ends(const Graph& graph) {
  internal::Rewriter rewriter(graph);
  for (const Node& node : graph.nodes) {
    if (!has_bias_alone(node)) {
      rewriter.keep(node);
      continue;
    }
    Node product = node;
    product.operands = rewriter.of(node.operands);
    const ValueId bias = product.operands.back();
    product.operands.pop_back();
    const ValueId sum = rewriter.emit(product, rewriter.name_of(node.results[0]) + ".product");
    const size_t ndim = graph.type(node.results[0]).global.size();
    // bias_add has its channels in dim 1; add has them in the last.
    const bool in_dim_1 = node.op->name == "conv2d" || ndim == 2;
    rewriter.emit_for(node.results[0],
                      rewriter.made(in_dim_1 ? "bias_add" : "add", {sum, bias}, node.scope));
  }
  return rewriter.finish();
}

}  // namespace tessera
