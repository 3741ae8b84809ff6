#include "tessera/runtime/internal/batch.h"

#include <algorithm>

namespace tessera::internal {
namespace {

size_t index(ValueId id) {
  return static_cast<size_t>(id);
}

/// The factor that alone is dim 0 of a tensor, or -1.
FactorId leading_factor(const ShardingRule::Dims& dims) {
  return !dims.empty() && dims[0].size() == 1 ? dims[0][0] : -1;
}

int64_t count_factor(const ShardingRule::Dims& dims, FactorId factor) {
  int64_t count = 0;
  for (const std::vector<FactorId>& dim : dims) count += std::count(dim.begin(), dim.end(), factor);
  return count;
}

/// Whether all of every value is here and no other rank is needed.
bool is_alone(const Graph& graph) {
  return std::all_of(graph.values.begin(), graph.values.end(),
                     [](const ValueInfo& value) { return value.is_whole(); }) &&
         std::none_of(graph.nodes.begin(), graph.nodes.end(),
                      [](const Node& node) { return node.op->is_collective; });
}

/// Whether the rule computes each row of the results from that row of the operands that have the
/// batch, and from nothing else that has it.
bool keeps_rows_apart(const ShardingRule& rule, const std::vector<bool>& has_batch) {
  const FactorId row = leading_factor(rule.results[0]);
  if (row < 0 || rule.factors[static_cast<size_t>(row)].whole) return false;
  for (const ShardingRule::Dims& dims : rule.results) {
    if (leading_factor(dims) != row || count_factor(dims, row) != 1) return false;
  }
  for (size_t i = 0; i < rule.operands.size(); ++i) {
    const ShardingRule::Dims& dims = rule.operands[i];
    if (count_factor(dims, row) != (has_batch[i] ? 1 : 0)) return false;
    if (has_batch[i] && leading_factor(dims) != row) return false;
  }
  return true;
}

/// Which values depend on the inputs.
std::vector<bool> batched_values(const Graph& graph) {
  std::vector<bool> batched(graph.values.size(), false);
  for (const ValueId id : graph.inputs) batched[index(id)] = true;
  for (const Node& node : graph.nodes) {
    const bool any = std::any_of(node.operands.begin(), node.operands.end(),
                                 [&](ValueId id) { return batched[index(id)]; });
    for (const ValueId id : node.results) batched[index(id)] = any;
  }
  return batched;
}

bool node_keeps_rows_apart(const Graph& graph, const Node& node, const std::vector<bool>& batched) {
  const std::vector<TensorType> types = graph.types(node.operands);
  std::vector<bool> has_batch;
  for (const ValueId id : node.operands) has_batch.push_back(batched[index(id)]);
  return keeps_rows_apart(rule_of(*node.op, {types, {}, node.attrs, {}}), has_batch);
}

Shape with_rows(Shape shape, int64_t rows) {
  shape[0] = rows;
  return shape;
}

}  // namespace

int64_t batch_of(const Graph& graph) {
  const auto has_rows = [&](ValueId id, int64_t rows) {
    const Shape& shape = graph.values[index(id)].shape;
    return !shape.empty() && shape[0] == rows;
  };
  if (!is_alone(graph) || !graph.updates.empty()) return 0;
  if (graph.inputs.empty() || graph.values[index(graph.inputs[0])].shape.empty()) return 0;
  const int64_t rows = graph.values[index(graph.inputs[0])].shape[0];
  const std::vector<bool> batched = batched_values(graph);
  for (const ValueId id : graph.inputs) {
    if (!has_rows(id, rows)) return 0;
  }
  for (const Node& node : graph.nodes) {
    if (batched[index(node.results[0])] && !node_keeps_rows_apart(graph, node, batched)) return 0;
  }
  for (const ValueId id : graph.outputs) {
    if (!batched[index(id)] || !has_rows(id, rows)) return 0;
  }
  return rows;
}

std::optional<Graph> with_batch(const Graph& graph, int64_t rows) {
  Graph cut = graph;
  const std::vector<bool> batched = batched_values(graph);
  for (size_t v = 0; v < cut.values.size(); ++v) {
    if (batched[v]) cut.values[v].shape = with_rows(cut.values[v].shape, rows);
  }
  for (const Node& node : cut.nodes) {
    try {
      if (infer_results(*node.op, cut.types(node.operands), node.attrs) !=
          cut.types(node.results)) {
        return std::nullopt;
      }
    } catch (const Error&) {
      return std::nullopt;  // the op's attributes hold for the whole batch only
    }
  }
  return cut;
}

double work_of(const Graph& graph) {
  const std::vector<bool> batched = batched_values(graph);
  double work = 0;
  for (const Node& node : graph.nodes) {
    if (!batched[index(node.results[0])]) continue;
    const Shape& result = graph.values[index(node.results[0])].shape;
    double factor = 1;
    if (node.operands.size() > 1 && result.size() > 1) {
      // A weight of two or more dims is read once per result, but for its output channels.
      const Shape& weight = graph.values[index(node.operands[1])].shape;
      const int64_t channels = result.size() == 4 ? result[1] : result.back();
      if (weight.size() > 1 && !batched[index(node.operands[1])]) {
        factor = std::max(1.0, static_cast<double>(element_count(weight)) /
                                   static_cast<double>(std::max<int64_t>(channels, 1)));
      }
    }
    work += factor * static_cast<double>(element_count(result));
  }
  return work;
}

namespace {

/// The most bytes that one node reads and writes per row of the batch, without what it shares with
/// other rows.
int64_t bytes_per_row(const Graph& graph, int64_t rows) {
  const std::vector<bool> batched = batched_values(graph);
  const auto bytes_of = [&](const std::vector<ValueId>& ids) {
    int64_t bytes = 0;
    for (const ValueId id : ids) {
      const ValueInfo& value = graph.values[index(id)];
      if (batched[index(id)]) bytes += element_count(value.shape) * byte_size(value.dtype);
    }
    return bytes;
  };
  int64_t most = 1;
  for (const Node& node : graph.nodes) {
    most = std::max(most, (bytes_of(node.operands) + bytes_of(node.results)) / rows);
  }
  return most;
}

}  // namespace

int64_t piece_count(const Graph& graph, int64_t rows, int threads) {
  constexpr int64_t kBytesPerPiece = int64_t{64} << 20;
  constexpr double kWorkPerPiece = 1e6;
  if (rows < 2) return 1;
  const double work = work_of(graph);
  const auto worth = static_cast<int64_t>(std::min(work / kWorkPerPiece, 1e6));
  const int64_t fitting = std::max<int64_t>(1, kBytesPerPiece / bytes_per_row(graph, rows));
  int64_t count = std::max<int64_t>((rows + fitting - 1) / fitting, threads);
  count = (count + threads - 1) / threads * threads;
  return std::min({count, rows, worth});
}

}  // namespace tessera::internal
