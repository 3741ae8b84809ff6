#include "tessera/layout/rule_layouts.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/error.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

int64_t parts_of(const Mesh& mesh, const std::vector<AxisId>& axes) {
  int64_t count = 1;
  for (const AxisId axis : axes) count *= mesh.axes[at(axis)].size;
  return count;
}

std::string dim_text(const ShardingRule& rule, const std::vector<FactorId>& dim) {
  std::string text;
  for (const FactorId f : dim)
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", rule.factors[at(f)].name,
                        rule.factors[at(f)].extent);
  return text;
}

/// Whether the parts of the factors of a dim, put together, are the parts of the dim: part i of n
/// begins at extent * i / n.
bool makes_boxes(const ShardingRule& rule, const Mesh& mesh, const FactorAxes& axes,
                 const std::vector<FactorId>& dim) {
  std::vector<int64_t> counts;
  int64_t total = 1;
  int64_t extent = 1;
  for (const FactorId f : dim) {
    counts.push_back(parts_of(mesh, axes[at(f)]));
    total *= counts.back();
    extent *= rule.factors[at(f)].extent;
  }
  if (total == 1) return true;
  std::vector<FactorPart> parts;
  for (const ShardingRule::Factor& factor : rule.factors) parts.push_back({0, factor.extent});
  for (int64_t i = 0; i < total; ++i) {
    int64_t left = i;
    for (size_t k = dim.size(); k-- > 0;) {
      parts[at(dim[k])] = factor_part(rule.factors[at(dim[k])].extent, left % counts[k], counts[k]);
      left /= counts[k];
    }
    const auto box = box_of(rule, {dim}, parts);
    const FactorPart wanted = factor_part(extent, i, total);
    if (!box || box->size[0] != wanted.size) return false;
    if (wanted.size > 0 && box->begin[0] != wanted.begin) return false;
  }
  return true;
}

std::string why_no_boxes(const ShardingRule& rule, const Mesh& mesh, const FactorAxes& axes,
                         const std::vector<ShardingRule::Dims>& tensors, std::string_view side) {
  for (size_t t = 0; t < tensors.size(); ++t) {
    for (size_t d = 0; d < tensors[t].size(); ++d) {
      const std::vector<FactorId>& dim = tensors[t][d];
      if (dim.size() < 2 || makes_boxes(rule, mesh, axes, dim)) continue;
      const auto split =
          std::find_if(dim.begin(), dim.end(), [&](FactorId f) { return !axes[at(f)].empty(); });
      return fmt::format("dim {} of {} {} ({}) cannot be cut in {} at '{}'", d, side, t,
                         dim_text(rule, dim), parts_of(mesh, axes[at(*split)]),
                         rule.factors[at(*split)].name);
    }
  }
  return {};
}

Layout layout_of(const MeshPtr& mesh, const ShardingRule::Dims& dims, const FactorAxes& axes) {
  Layout layout{mesh, {}, {}};
  for (const std::vector<FactorId>& dim : dims) {
    std::vector<AxisId>& split = layout.dims.emplace_back();
    for (const FactorId f : dim) split.insert(split.end(), axes[at(f)].begin(), axes[at(f)].end());
  }
  return layout;
}

}  // namespace

std::string why_not(const ShardingRule& rule, const Mesh& mesh, const FactorAxes& axes) {
  require(axes.size() == rule.factors.size(), "{} lists of axes for a rule of {} factors",
          axes.size(), rule.factors.size());
  std::vector<bool> used(mesh.axes.size(), false);
  for (size_t f = 0; f < axes.size(); ++f) {
    for (const AxisId axis : axes[f]) {
      require(axis >= 0 && at(axis) < used.size() && !used[at(axis)],
              "axis {} of {} is not there, or used twice", axis, to_string(mesh));
      used[at(axis)] = true;
    }
    if (rule.factors[f].whole && parts_of(mesh, axes[f]) > 1)
      return fmt::format("'{}' must be whole", rule.factors[f].name);
  }
  std::string reason = why_no_boxes(rule, mesh, axes, rule.operands, "operand");
  if (reason.empty()) reason = why_no_boxes(rule, mesh, axes, rule.results, "result");
  return reason;
}

RuleLayouts layouts_of(const ShardingRule& rule, const MeshPtr& mesh, const FactorAxes& axes) {
  RuleLayouts layouts;
  for (const ShardingRule::Dims& dims : rule.operands)
    layouts.operands.push_back(layout_of(mesh, dims, axes));
  for (const ShardingRule::Dims& dims : rule.results) {
    Layout& layout = layouts.results.emplace_back(layout_of(mesh, dims, axes));
    for (size_t f = 0; f < axes.size(); ++f)
      if (is_reduced(rule, static_cast<FactorId>(f)))
        for (const AxisId axis : axes[f]) layout.partial.push_back({axis, rule.factors[f].reduce});
    std::sort(layout.partial.begin(), layout.partial.end(),
              [](const Partial& a, const Partial& b) { return a.axis < b.axis; });
  }
  return layouts;
}

}  // namespace tessera
