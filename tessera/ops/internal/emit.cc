#include "tessera/ops/internal/emit.h"

#include "tessera/ops/registry.h"

namespace tessera::internal {

Value emit(std::string_view op, std::span<const Value> operands, const Attrs& attrs) {
  require(!operands.empty(), "op '{}' got no operands", op);
  Graph* graph = operands[0].graph;
  std::vector<ValueId> ids;
  for (const Value& operand : operands) {
    require(operand.graph != nullptr && operand.graph == graph, "operand {} of op '{}' is of {}",
            ids.size(), op, operand.graph == nullptr ? "no graph" : "another graph than operand 0");
    ids.push_back(operand.id);
  }
  return {graph, graph->emit(require_op(op), std::move(ids), attrs, graph->scope).front()};
}

}  // namespace tessera::internal
