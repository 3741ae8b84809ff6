#include "tessera/runtime/internal/constants.h"

#include <algorithm>

#include "tessera/ops/registry.h"

namespace tessera::internal {
namespace {

size_t index(ValueId id) {
  return static_cast<size_t>(id);
}

/// Whether the ranks take part in the node's work together in every run, whatever one of them
/// knows.
bool moves_every_run(const Node& node) {
  return node.op->is_collective && std::get<bool>(node.attrs.at("every_run"));
}

}  // namespace

std::vector<bool> needed_nodes(const Graph& graph) {
  std::vector<bool> value_needed(graph.values.size(), false);
  for (const ValueId id : graph.outputs) value_needed[index(id)] = true;
  std::vector<bool> needed(graph.nodes.size(), false);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    // Other ranks need this one in a collective, also where it needs nothing itself.
    needed[n] =
        node.op->is_collective || std::any_of(node.results.begin(), node.results.end(),
                                              [&](ValueId id) { return value_needed[index(id)]; });
    if (!needed[n]) continue;
    for (const ValueId id : node.operands) value_needed[index(id)] = true;
  }
  return needed;
}

Constants::Constants(const Graph& graph, std::span<const Tensor> parameters, Communicator* world,
                     bool plan_only)
    : world_(world),
      plan_only_(plan_only),
      values_(graph.values.size()),
      forms_(graph.values.size()) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    values_[index(graph.parameters[i])] = parameters[i].contiguous();
  }
  for (const auto& [id, tensor] : graph.constants) values_[index(id)] = tensor;
  const std::vector<bool> needed = needed_nodes(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const bool is_constant =
        !moves_every_run(node) && std::all_of(node.operands.begin(), node.operands.end(),
                                              [&](ValueId id) { return has(id); });
    if (needed[n] && is_constant) compute(graph, node);
  }
}

void Constants::compute(const Graph& graph, const Node& node) {
  const std::string& name = graph.values[index(node.results[0])].name;
  const ErrorContext context(
      [&] { return fmt::format("computing '{}' ({}) when compiling", name, node.op->name); });
  std::vector<Tensor> operands;
  for (const ValueId id : node.operands) operands.push_back(values_[index(id)]);
  std::vector<Tensor> results;
  if (node.op->is_view) {
    results.push_back(operands[0].reshape(graph.type(node.results[0]).shape()));
  } else {
    const std::vector<TensorType> from = graph.types(node.operands);
    const std::vector<TensorType> to = graph.types(node.results);
    for (const TensorType& type : to) results.emplace_back(type.dtype, type.shape());
    const OpCall call{from, to, node.attrs, {}, world_};
    const Kernel& kernel =
        node.op->is_collective ? node.op->kernels.front() : node.op->kernels.back();
    const auto prepared =
        kernel.function != nullptr ? prepare_reference(kernel, call) : kernel.prepare(call, {});
    if (!plan_only_) prepared->run(operands, results);
  }
  for (size_t r = 0; r < results.size(); ++r) {
    values_[index(node.results[r])] = std::move(results[r]);
  }
  notes_.push_back(fmt::format("{} = {}", name, node.op->name));
}

Tensor Constants::in_format(ValueId id, const Format& format) {
  const Tensor& plain = values_[index(id)];
  if (format == nullptr) return plain;
  for (const Form& form : forms_[index(id)]) {
    if (same_format(form.format, format)) return form.tensor;
  }
  const TensorType type(plain.dtype(), plain.shape());
  Tensor made = Tensor::view(Buffer::allocate(format->byte_count()), 0, type.dtype, type.global);
  if (!plan_only_)
    prepare_reorder(type, nullptr, format)->run(std::span(&plain, 1), std::span(&made, 1));
  forms_[index(id)].push_back({format, made});
  return made;
}

}  // namespace tessera::internal
