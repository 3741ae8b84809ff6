#include "tests/support/evaluate_graph.h"

namespace tessera::testing {

std::vector<Tensor> evaluate_graph(const Graph& graph, std::span<const Tensor> given) {
  std::vector<Tensor> values(graph.values.size());
  for (size_t i = 0; i < given.size(); ++i) {
    const bool is_input = i < graph.inputs.size();
    const ValueId id = is_input ? graph.inputs[i] : graph.parameters[i - graph.inputs.size()];
    values[static_cast<size_t>(id)] = given[i];
  }
  for (const auto& [id, tensor] : graph.constants) values[static_cast<size_t>(id)] = tensor;
  for (const Node& node : graph.nodes) {
    std::vector<Tensor> operands;
    for (const ValueId id : node.operands) operands.push_back(values[static_cast<size_t>(id)]);
    std::vector<Tensor> results;
    if (node.op->is_view)
      results = {operands[0].reshape(graph.type(node.results[0]).global)};
    else
      results = evaluate(*node.op, operands, node.attrs);
    for (size_t r = 0; r < results.size(); ++r)
      values[static_cast<size_t>(node.results[r])] = results[r];
  }
  std::vector<Tensor> outputs;
  for (const ValueId id : graph.outputs) outputs.push_back(values[static_cast<size_t>(id)]);
  for (const Update& update : graph.updates)
    outputs.push_back(values[static_cast<size_t>(update.value)]);
  return outputs;
}

std::vector<Tensor> evaluate_graph(const Graph& graph, std::span<const Tensor> parameters,
                                   std::span<const Tensor> inputs) {
  std::vector<Tensor> given(inputs.begin(), inputs.end());
  given.insert(given.end(), parameters.begin(), parameters.end());
  return evaluate_graph(graph, given);
}

}  // namespace tessera::testing
