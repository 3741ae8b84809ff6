#include <algorithm>

#include "tessera/graph/graph.h"

namespace tessera {
namespace {

bool has(const ShardingRule::Dims& dims, FactorId factor) {
  return std::any_of(dims.begin(), dims.end(), [&](const std::vector<FactorId>& dim) {
    return std::find(dim.begin(), dim.end(), factor) != dim.end();
  });
}

}  // namespace

double multiply_adds(const Graph& graph, const Node& node) {
  if (node.operands.size() < 2) return 0;
  const std::vector<TensorType> operands = graph.types(node.operands);
  const std::vector<TensorType> results = graph.types(node.results);
  const ShardingRule rule = rule_of(*node.op, {operands, results, node.attrs, {}});
  double products = 1;
  bool is_sum = false;
  for (FactorId factor = 0; factor < static_cast<FactorId>(rule.factors.size()); ++factor) {
    const bool reduced = is_reduced(rule, factor);
    const bool of_second = has(rule.operands[1], factor);
    // Rows and columns that only the first operand has are windows: the result's count instead.
    // What only the second has is counted, but a sum of products needs a factor of both: concat
    // has none.
    if (reduced && !of_second) continue;
    const ShardingRule::Factor& one = rule.factors[static_cast<size_t>(factor)];
    is_sum = is_sum || (reduced && one.reduce == ReduceOp::kSum && has(rule.operands[0], factor));
    products *= static_cast<double>(one.extent);
  }
  return is_sum ? products : 0;
}

double multiply_adds(const Graph& graph) {
  double sum = 0;
  for (const Node& node : graph.nodes) sum += multiply_adds(graph, node);
  return sum;
}

}  // namespace tessera
