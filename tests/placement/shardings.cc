#include "tests/placement/shardings.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/text.h"

namespace tessera::testing {
namespace {

using Lists = std::vector<std::vector<AxisId>>;

/// Calls visit(lists) for every way to put the axes from `axis` on into the lists `open`, or
/// nowhere.
void assign(const Mesh& mesh, AxisId axis, const std::vector<size_t>& open, Lists& lists,
            const std::function<void(const Lists&)>& visit) {
  if (axis == std::ssize(mesh.axes)) return visit(lists);
  assign(mesh, axis + 1, open, lists, visit);
  for (const size_t o : open) {
    for (size_t place = 0; place <= lists[o].size(); ++place) {
      lists[o].insert(lists[o].begin() + static_cast<std::ptrdiff_t>(place), axis);
      assign(mesh, axis + 1, open, lists, visit);
      lists[o].erase(lists[o].begin() + static_cast<std::ptrdiff_t>(place));
    }
  }
}

/// The factors that operand layouts can say and the op lets be cut.
std::vector<size_t> open_factors(const ShardingRule& rule) {
  std::vector<size_t> open;
  for (const ShardingRule::Dims& dims : rule.operands)
    for (const std::vector<FactorId>& dim : dims)
      for (const FactorId f : dim)
        if (!rule.factors[static_cast<size_t>(f)].whole) open.push_back(static_cast<size_t>(f));
  std::sort(open.begin(), open.end());
  open.erase(std::unique(open.begin(), open.end()), open.end());
  return open;
}

std::vector<size_t> all_of(size_t count) {
  std::vector<size_t> all(count);
  for (size_t i = 0; i < count; ++i) all[i] = i;
  return all;
}

void put_at_random(Lists& lists, const std::vector<size_t>& open, AxisId axis, Random& random) {
  if (open.empty() || chance(random, 25)) return;
  std::vector<AxisId>& list = lists[open[below(random, open.size())]];
  list.insert(list.begin() + static_cast<std::ptrdiff_t>(below(random, list.size() + 1)), axis);
}

}  // namespace

size_t below(Random& random, size_t bound) {
  return static_cast<size_t>(random() % bound);
}

bool chance(Random& random, int percent) {
  return below(random, 100) < static_cast<size_t>(percent);
}

ShardingRule rule_of_node(const Graph& graph, size_t node) {
  const Node& made = graph.nodes[node];
  const std::vector<TensorType> types = graph.types(made.operands);
  return rule_of(*made.op, OpCall{types, {}, made.attrs, {}});
}

std::string sharding_text(const std::vector<Layout>& operands, bool with_mesh) {
  std::vector<std::string> layouts;
  for (const Layout& layout : operands) layouts.push_back(dims_to_string(layout));
  const std::string text = join(layouts, ", ");
  return with_mesh ? to_string(*operands[0].mesh) + " " + text : text;
}

std::vector<RuleLayouts> every_sharding(const ShardingRule& rule, const MeshPtr& mesh) {
  std::vector<RuleLayouts> all;
  FactorAxes axes(rule.factors.size());
  assign(*mesh, 0, open_factors(rule), axes, [&](const FactorAxes& found) {
    if (why_not(rule, *mesh, found).empty()) all.push_back(layouts_of(rule, mesh, found));
  });
  return all;
}

RuleLayouts random_sharding(const ShardingRule& rule, const MeshPtr& mesh, Random& random) {
  const std::vector<size_t> open = open_factors(rule);
  FactorAxes axes(rule.factors.size());
  for (size_t axis = 0; axis < mesh->axes.size(); ++axis) {
    const FactorAxes before = axes;
    put_at_random(axes, open, static_cast<AxisId>(axis), random);
    if (!why_not(rule, *mesh, axes).empty()) axes = before;
  }
  return layouts_of(rule, mesh, axes);
}

std::vector<Layout> every_layout(size_t ndim, const MeshPtr& mesh) {
  std::vector<Layout> all;
  Lists dims(ndim);
  assign(*mesh, 0, all_of(ndim), dims, [&](const Lists& found) {
    all.push_back(Layout{mesh, found, {}});
  });
  return all;
}

Layout random_layout(size_t ndim, const MeshPtr& mesh, Random& random) {
  Layout layout = replicated(mesh, ndim);
  for (size_t axis = 0; axis < mesh->axes.size(); ++axis)
    put_at_random(layout.dims, all_of(ndim), static_cast<AxisId>(axis), random);
  return layout;
}

}  // namespace tessera::testing
