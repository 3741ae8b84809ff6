#include "tessera/passes/internal/backward.h"

#include <algorithm>

#include "tessera/base/error.h"

namespace tessera::internal {
namespace {

size_t at(ValueId id) {
  return static_cast<size_t>(id);
}

}  // namespace

Graph forward_part(const Graph& step, size_t nodes) {
  require(nodes <= step.nodes.size(), "the first {} nodes of a graph of {} are no forward pass",
          nodes, step.nodes.size());
  Graph forward = step;
  forward.nodes.resize(nodes);
  return forward;
}

Backward backward_of(const Graph& step, size_t forward_nodes, std::span<const ValueId> trained) {
  const auto forward = std::span(step.nodes).first(forward_nodes);
  Backward made;
  made.is_read.resize(step.values.size(), false);
  for (const Node& node : std::span(step.nodes).subspan(forward_nodes))
    for (const ValueId id : node.operands) made.is_read[at(id)] = true;
  std::vector<bool> depends(step.values.size(), false);
  for (const ValueId id : trained) depends[at(id)] = true;
  const auto any = [](const std::vector<ValueId>& ids, const std::vector<bool>& is) {
    return std::any_of(ids.begin(), ids.end(), [&](ValueId id) { return is[at(id)]; });
  };
  for (const Node& node : forward)
    if (any(node.operands, depends))
      for (const ValueId id : node.results) depends[at(id)] = true;
  std::vector<bool>& has = made.has_gradient;
  has.resize(step.values.size(), false);
  for (const ValueId id : step.outputs) has[at(id)] = depends[at(id)];
  for (size_t n = forward.size(); n-- > 0;)
    if (any(forward[n].results, has))
      for (const ValueId id : forward[n].operands) has[at(id)] = depends[at(id)];
  return made;
}

}  // namespace tessera::internal
