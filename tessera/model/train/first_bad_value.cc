#include "tessera/model/train/first_bad_value.h"

#include <algorithm>
#include <cmath>

#include "tessera/graph/evaluate_node.h"

namespace tessera::internal {
namespace {

/// How many elements are no finite numbers, and the first of them.
struct Bad {
  int64_t count = 0;
  int64_t first = -1;
};

Bad bad_of(const Tensor& tensor) {
  Bad bad;
  if (!info(tensor.dtype()).is_floating) return bad;
  const Tensor wide = tensor.cast(DType::kF64).contiguous();
  const auto values = wide.data<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    if (bad.count++ == 0) bad.first = static_cast<int64_t>(i);
  }
  return bad;
}

std::string told(std::string_view what, const Tensor& tensor, const Bad& bad) {
  Shape place(tensor.shape().size());
  int64_t rest = bad.first;
  for (size_t d = place.size(); d-- > 0;) {
    place[d] = rest % tensor.shape()[d];
    rest /= tensor.shape()[d];
  }
  return fmt::format(
      "the first value that is no finite number is {}: {} of its {} elements, the "
      "first at {}",
      what, bad.count, tensor.size(), to_string(place));
}

}  // namespace

std::string first_bad_value(const Graph& graph,
                            const std::map<std::string, Tensor, std::less<>>& given) {
  std::vector<Tensor> values(graph.values.size());
  const auto at = [](ValueId id) { return static_cast<size_t>(id); };
  const auto name = [&](ValueId id) { return graph.values[at(id)].name; };
  for (const auto& [id, tensor] : graph.constants) values[at(id)] = tensor;
  for (const auto* ids : {&graph.inputs, &graph.parameters}) {
    for (const ValueId id : *ids) {
      const auto found = given.find(name(id));
      if (found == given.end()) continue;
      values[at(id)] = found->second;
      const Bad bad = bad_of(values[at(id)]);
      const std::string_view kind = ids == &graph.inputs ? "the input" : "the parameter";
      if (bad.count > 0) return told(fmt::format("{} '{}'", kind, name(id)), values[at(id)], bad);
    }
  }
  for (const Node& node : graph.nodes) {
    std::vector<Tensor> operands;
    for (const ValueId id : node.operands)
      if (values[at(id)].is_defined()) operands.push_back(values[at(id)]);
    if (operands.size() < node.operands.size()) continue;
    const std::vector<Tensor> results = evaluate_node(graph, node, operands);
    for (size_t r = 0; r < results.size(); ++r) {
      values[at(node.results[r])] = results[r];
      const Bad bad = bad_of(results[r]);
      if (bad.count > 0)
        return told(fmt::format("{} '{}'{}{}", node.op->name, name(node.results[r]),
                                node.scope.empty() ? "" : " of ", node.scope),
                    results[r], bad);
    }
  }
  return "computed again, every value is finite";
}

}  // namespace tessera::internal
