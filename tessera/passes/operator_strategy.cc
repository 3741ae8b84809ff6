#include "tessera/passes/operator_strategy.h"

#include <algorithm>
#include <map>

#include "tessera/base/text.h"
#include "tessera/passes/internal/batch_parallel.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

struct Primitives {
  std::string_view op;
  std::vector<std::string_view> names;  // the usual one first
};

/// Where MindSpore's primitives are not called as its layers, or changed their names.
const std::vector<Primitives>& primitives() {
  static const std::vector<Primitives> table = {
      {"add", {"Add", "TensorAdd", "BiasAdd"}},
      {"avg_pool", {"AvgPool"}},
      {"batch_norm", {"BatchNorm"}},
      {"batch_norm_train", {"BatchNorm"}},
      {"concat", {"MakeTuple", "Concat"}},
      {"conv2d", {"Conv2D"}},
      {"dense", {"MatMul", "Dense", "MatMulExt"}},
      {"div", {"Div", "RealDiv"}},
      {"embedding", {"Gather", "GatherV2", "EmbeddingLookup", "SparseGatherV2"}},
      {"gather", {"Gather", "GatherV2", "EmbeddingLookup", "SparseGatherV2"}},
      {"gelu", {"GeLU", "Gelu"}},
      {"matmul", {"MatMul", "BatchMatMul", "MatMulExt"}},
      {"max_pool", {"MaxPool"}},
  };
  return table;
}

std::vector<std::string_view> primitives_of(const Graph& graph, const Node& node,
                                            const std::vector<int>& producers) {
  const auto found = std::find_if(primitives().begin(), primitives().end(),
                                  [&](const auto& entry) { return entry.op == node.op->name; });
  if (found == primitives().end()) return {node.op->mindspore_name};
  std::vector<std::string_view> names = found->names;
  const bool is_batched = std::any_of(node.operands.begin(), node.operands.end(), [&](ValueId id) {
    return graph.values[at(id)].shape.size() > 2;
  });
  if (node.op->name == "matmul" && is_batched) std::swap(names[0], names[1]);
  if (internal::is_dense_bias(graph, node, producers))
    std::rotate(names.begin(), names.end() - 1, names.end());
  return names;
}

/// The operand that MindSpore has in place `i`.
size_t operand_at(const Node& node, size_t i) {
  return node.op->name == "embedding" ? 1 - i : i;
}

bool is_parameter(const Graph& graph, ValueId id) {
  return std::find(graph.parameters.begin(), graph.parameters.end(), id) != graph.parameters.end();
}

std::vector<std::string> keys_of(const Graph& graph, const Node& node,
                                 const std::vector<int>& producers) {
  if (node.op->name == "reshape" || node.op->mindspore_name.empty()) return {};
  for (size_t i = 0; i < node.operands.size(); ++i) {
    const ValueId id = node.operands[operand_at(node, i)];
    if (producers[at(id)] >= 0 || !is_parameter(graph, id)) continue;
    std::vector<std::string> keys;
    for (const std::string_view name : primitives_of(graph, node, producers))
      keys.push_back(std::string(name) + "_" + graph.values[at(id)].name);
    return keys;
  }
  return {};
}

Pieces in_order_of(const Node& node, const Pieces& pieces) {
  Pieces made = pieces;
  if (pieces.size() == 2 && node.op->name == "embedding") std::swap(made[0], made[1]);
  // In training the statistics have a dim of groups before the channels, which are not cut.
  if (node.op->name == "batch_norm_train")
    for (size_t i = 3; i < made.size(); ++i) {
      if (made[i].size() == 1)
        made[i].insert(made[i].begin(), 1);
      else if (made[i].size() == 2)
        made[i].erase(made[i].begin());
    }
  return made;
}

/// The pieces of a placed node; none where layouts were asked for.
Pieces pieces_of(const Placed& placed, size_t n, bool by_rows) {
  const Node& node = placed.graph.nodes[n];
  Pieces pieces;
  if (!node.sharding.empty() && !is_pieces(node.sharding)) return pieces;
  for (size_t i = 0; i < node.operands.size(); ++i) {
    const size_t form = at(placed.nodes[n].operand_forms[i]);
    const Layout& layout = placed.forms[at(node.operands[i])][form].layout;
    std::vector<int>& counts = pieces.emplace_back();
    for (size_t d = 0; d < layout.dims.size(); ++d) counts.push_back(part_count(layout, d));
  }
  if (by_rows && pieces[0].size() > 2) {
    int rows = 1;
    for (size_t d = 0; d + 1 < pieces[0].size(); ++d) rows *= pieces[0][d];
    pieces[0] = {rows, pieces[0].back()};
  }
  return in_order_of(node, pieces);
}

/// Per node whether an output depends on it: what moves batch norm's statistics is no operator of
/// MindSpore's.
std::vector<bool> computes_output(const Graph& graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (const ValueId id : graph.outputs) needed[at(id)] = true;
  std::vector<bool> computes(graph.nodes.size(), false);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    computes[n] = std::any_of(node.results.begin(), node.results.end(),
                              [&](ValueId id) { return needed[at(id)]; });
    if (!computes[n]) continue;
    for (const ValueId id : node.operands) needed[at(id)] = true;
  }
  return computes;
}

int stage_of(const Placed& placed, size_t n) {
  const Mesh& mesh = *placed.nodes[n].results[0].mesh;
  return mesh.sorted_ranks().front() / mesh.rank_count();
}

}  // namespace

std::vector<std::string> operator_keys(const Graph& graph, const Node& node) {
  return keys_of(graph, node, internal::producers(graph));
}

void shard_operators(Graph& graph, std::span<const OperatorPieces> operators,
                     std::span<const std::string> allow) {
  const std::vector<int> producers = internal::producers(graph);
  std::multimap<std::string, Node*, std::less<>> nodes;
  std::vector<std::string> names;
  for (Node& node : graph.nodes) {
    const std::vector<std::string> keys = keys_of(graph, node, producers);
    for (const std::string& key : keys) nodes.emplace(key, &node);
    if (!keys.empty()) names.push_back(keys.front());
  }
  for (const OperatorPieces& op : operators) {
    const auto [begin, end] = nodes.equal_range(op.name);
    const bool is_allowed =
        std::any_of(allow.begin(), allow.end(),
                    [&](const std::string& pattern) { return matches(pattern, op.name); });
    if (begin == end && !is_allowed)
      fail(ErrorCode::kNotFound,
           "the strategy names the operator '{}', which the network has not{}: is it a strategy "
           "file of another net?",
           printable(op.name), suggest(op.name, names));
    for (auto it = begin; it != end; ++it) {
      if (!it->second->sharding.empty()) continue;
      if (op.pieces.empty() && !is_allowed)
        fail(ErrorCode::kUnsupported,
             "the operator '{}' was sharded by layouts, which its strategy does not hold: give its "
             "node the layouts by shard(), or allow it by name",
             printable(op.name));
      if (!op.pieces.empty()) it->second->sharding = to_string(in_order_of(*it->second, op.pieces));
    }
  }
}

std::vector<OperatorPieces> operators_of(const Placed& placed) {
  const std::vector<int> producers = internal::producers(placed.graph);
  std::vector<OperatorPieces> made;
  const std::vector<bool> computes = computes_output(placed.graph);
  for (size_t n = 0; n < placed.graph.nodes.size(); ++n) {
    if (!placed.network[n] || !computes[n]) continue;
    const Node& node = placed.graph.nodes[n];
    const std::vector<std::string> keys = keys_of(placed.graph, node, producers);
    const bool is_known =
        keys.empty() || std::any_of(made.begin(), made.end(),
                                    [&](const auto& op) { return op.name == keys.front(); });
    if (is_known) continue;
    const bool by_rows =
        node.op->name == "dense" || internal::is_dense_bias(placed.graph, node, producers);
    made.push_back({keys.front(), stage_of(placed, n), pieces_of(placed, n, by_rows)});
  }
  return made;
}

}  // namespace tessera
