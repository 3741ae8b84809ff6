#include "tessera/passes/internal/batch_parallel.h"

#include <algorithm>
#include <numeric>

namespace tessera::internal {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

/// The first factor of dim 0 of a tensor, or -1.
FactorId first_factor(const ShardingRule::Dims& dims) {
  return dims.empty() || dims[0].empty() ? -1 : dims[0][0];
}

/// The factor that MindSpore cuts: dim 0 of the result where operands broadcast, of the indices
/// where rows are looked up, else of the first operand.
FactorId row_of(std::string_view op, const ShardingRule& rule) {
  if (op == "gather") return first_factor(rule.operands[1]);
  const bool broadcasts = rule.operands.size() > 1 && !rule.factors.empty() &&
                          std::all_of(rule.factors.begin(), rule.factors.end(),
                                      [](const auto& f) { return f.name.starts_with('.'); });
  if (broadcasts || op == "matmul") return first_factor(rule.results[0]);
  return first_factor(rule.operands[0]);
}

}  // namespace

std::vector<int> producers(const Graph& graph) {
  std::vector<int> made(graph.values.size(), -1);
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    for (const ValueId id : graph.nodes[n].results) made[at(id)] = static_cast<int>(n);
  return made;
}

bool is_dense_bias(const Graph& graph, const Node& node, const std::vector<int>& producers) {
  if (node.op->name != "add") return false;
  const int product = producers[at(node.operands[0])];
  return product >= 0 && graph.nodes[at(product)].op->name == "dense" &&
         graph.values[at(node.operands[1])].shape.size() == 1 &&
         producers[at(node.operands[1])] < 0;
}

std::optional<Pieces> batch_parallel(std::string_view op, const ShardingRule& rule, int ranks,
                                     bool by_rows) {
  if (op == "reshape") return std::nullopt;
  Pieces pieces;
  for (const ShardingRule::Dims& dims : rule.operands) pieces.emplace_back(dims.size(), 1);
  if (by_rows && rule.operands[0].size() > 2) {
    int64_t rows = 1;
    for (size_t d = 0; d + 1 < rule.operands[0].size(); ++d)
      for (const FactorId f : rule.operands[0][d]) rows *= rule.factors[at(f)].extent;
    pieces[0] = {static_cast<int>(std::gcd(rows, int64_t{ranks})), 1};
    return pieces;
  }
  const FactorId row = row_of(op, rule);
  if (row < 0 || rule.factors[at(row)].whole) return pieces;
  const int count = static_cast<int>(std::gcd(rule.factors[at(row)].extent, int64_t{ranks}));
  for (size_t i = 0; i < pieces.size(); ++i)
    for (size_t d = 0; d < pieces[i].size(); ++d)
      if (!rule.operands[i][d].empty() && rule.operands[i][d][0] == row) pieces[i][d] = count;
  return pieces;
}

}  // namespace tessera::internal
