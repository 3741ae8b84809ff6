#include "tessera/passes/internal/rewriter.h"

#include <algorithm>
#include <utility>

#include "tessera/ops/registry.h"

namespace tessera::internal {
namespace {

size_t index(ValueId id) {
  return static_cast<size_t>(id);
}

}  // namespace

Rewriter::Rewriter(const Graph& source) : source_(source), map_(source.values.size(), -1) {
  const auto copy = [&](ValueId id) {
    made_.values.push_back(source_.values[index(id)]);
    map_[index(id)] = static_cast<ValueId>(made_.values.size() - 1);
    return map_[index(id)];
  };
  for (const ValueId id : source_.inputs) made_.inputs.push_back(copy(id));
  for (const ValueId id : source_.parameters) made_.parameters.push_back(copy(id));
  for (const auto& [id, tensor] : source_.constants) made_.constants.emplace(copy(id), tensor);
  producers_.assign(made_.values.size(), -1);
}

ValueId Rewriter::of(ValueId old) const {
  const ValueId made = map_[index(old)];
  if (made < 0) {
    fail(ErrorCode::kInternal, "value '{}' is used before it is rewritten",
         source_.values[index(old)].name);
  }
  return made;
}

std::vector<ValueId> Rewriter::of(std::span<const ValueId> old) const {
  std::vector<ValueId> made;
  for (const ValueId id : old) made.push_back(of(id));
  return made;
}

const Node* Rewriter::producer(ValueId made) const {
  const int node = producers_[index(made)];
  return node < 0 ? nullptr : &made_.nodes[static_cast<size_t>(node)];
}

void Rewriter::keep(const Node& node) {
  Node made = node;
  made.operands = of(node.operands);
  for (size_t r = 0; r < node.results.size(); ++r) {
    made_.values.push_back(source_.values[index(node.results[r])]);
    made.results[r] = static_cast<ValueId>(made_.values.size() - 1);
    stand_for(node.results[r], made.results[r]);
  }
  made_.nodes.push_back(std::move(made));
  note_producer();
}

ValueId Rewriter::emit(const Node& node, std::string_view wish) {
  const std::string name = unused(wish);
  const ValueId result = made_.emit(*node.op, node.operands, node.attrs, node.scope).front();
  made_.nodes.back().sharding = node.sharding;
  made_.rename(result, name);
  note_producer();
  return result;
}

ValueId Rewriter::emit(std::string_view op, std::vector<ValueId> operands, Attrs attrs,
                       std::string_view scope, std::string_view wish) {
  return emit({&require_op(op), std::move(operands), {}, std::move(attrs), std::string(scope)},
              wish);
}

void Rewriter::emit_for(ValueId old, const Node& node) {
  const ValueId result = emit(node, "replaced");
  made_.rename(result, name_of(old));
  made_.values[index(result)].box = source_.values[index(old)].box;
  stand_for(old, result);
}

Node Rewriter::made(std::string_view op, std::vector<ValueId> operands, std::string scope) {
  Node node;
  node.op = &require_op(op);
  node.operands = std::move(operands);
  node.scope = std::move(scope);
  return node;
}

ValueId Rewriter::constant(std::string_view wish, Tensor value) {
  const ValueId id = made_.add_constant(unused(wish), std::move(value));
  producers_.push_back(-1);
  return id;
}

ValueId Rewriter::input(std::string_view name, DType dtype, const Shape& shape) {
  if (const std::optional<ValueId> known = made_.find(name)) {
    const bool is_input =
        std::find(made_.inputs.begin(), made_.inputs.end(), *known) != made_.inputs.end();
    require(is_input && made_.type(*known) == TensorType(dtype, shape),
            "'{}' is {}, not an input of {}", name, to_string(made_.type(*known)),
            to_string(TensorType(dtype, shape)));
    return *known;
  }
  const ValueId id = made_.add_input(std::string(name), dtype, shape);
  producers_.push_back(-1);
  return id;
}

void Rewriter::constant_for(ValueId old, Tensor value) {
  const ValueId id = constant("folded", std::move(value));
  made_.rename(id, name_of(old));
  stand_for(old, id);
}

Graph Rewriter::finish() {
  made_.outputs = of(source_.outputs);
  for (const Update& update : source_.updates)
    made_.updates.push_back({of(update.parameter), of(update.value)});
  return without_dead(std::move(made_));
}

std::string Rewriter::unused(std::string_view wish) const {
  std::string name(wish);
  for (int number = 1; made_.find(name) || source_.find(name); ++number) {
    name = fmt::format("{}_{}", wish, number);
  }
  return name;
}

void Rewriter::note_producer() {
  producers_.resize(made_.values.size(), static_cast<int>(made_.nodes.size()) - 1);
}

std::vector<int> use_counts(const Graph& graph) {
  std::vector<int> counts(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.operands) ++counts[index(id)];
  }
  for (const ValueId id : graph.outputs) ++counts[index(id)];
  for (const Update& update : graph.updates) ++counts[index(update.value)];
  return counts;
}

std::vector<bool> known_values(const Graph& graph) {
  std::vector<bool> known(graph.values.size(), false);
  for (const ValueId id : graph.parameters) known[index(id)] = true;
  for (const Update& update : graph.updates) known[index(update.parameter)] = false;
  for (const auto& [id, tensor] : graph.constants) known[index(id)] = true;
  for (const Node& node : graph.nodes) {
    const bool moves = node.op->is_collective && std::get<bool>(node.attrs.at("every_run"));
    const bool all = !moves && std::all_of(node.operands.begin(), node.operands.end(),
                                           [&](ValueId id) { return known[index(id)]; });
    for (const ValueId id : node.results) known[index(id)] = all;
  }
  return known;
}

Graph without_dead(Graph graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (const ValueId id : graph.outputs) needed[index(id)] = true;
  for (const Update& update : graph.updates) needed[index(update.value)] = true;
  std::vector<bool> live(graph.nodes.size(), false);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    live[n] = node.op->is_collective ||  // other ranks need this one in it
              std::any_of(node.results.begin(), node.results.end(),
                          [&](ValueId id) { return needed[index(id)]; });
    if (!live[n]) continue;
    for (const ValueId id : node.operands) needed[index(id)] = true;
    for (const ValueId id : node.results) needed[index(id)] = true;
  }
  for (const ValueId id : graph.inputs) needed[index(id)] = true;
  for (const ValueId id : graph.parameters) needed[index(id)] = true;

  Graph made;
  std::vector<ValueId> map(graph.values.size(), -1);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (!needed[v]) continue;
    map[v] = static_cast<ValueId>(made.values.size());
    made.values.push_back(std::move(graph.values[v]));
  }
  const auto mapped = [&](const std::vector<ValueId>& ids) {
    std::vector<ValueId> result;
    for (const ValueId id : ids) result.push_back(map[index(id)]);
    return result;
  };
  made.inputs = mapped(graph.inputs);
  made.parameters = mapped(graph.parameters);
  made.outputs = mapped(graph.outputs);
  for (const Update& update : graph.updates)
    made.updates.push_back({map[index(update.parameter)], map[index(update.value)]});
  for (auto& [id, tensor] : graph.constants) {
    if (needed[index(id)]) made.constants.emplace(map[index(id)], std::move(tensor));
  }
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!live[n]) continue;
    Node& node = graph.nodes[n];
    node.operands = mapped(node.operands);
    node.results = mapped(node.results);
    made.nodes.push_back(std::move(node));
  }
  made.names.sync(made.values);
  return made;
}

}  // namespace tessera::internal
