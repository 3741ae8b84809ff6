#include "tessera/passes/internal/ways.h"

#include <fmt/format.h>

#include <algorithm>

namespace tessera::internal {
namespace {

constexpr size_t kMostWays = 4096;  // per node; beyond, the smallest factors stay whole

size_t at(int id) {
  return static_cast<size_t>(id);
}

int64_t parts_of(const Mesh& mesh, const std::vector<AxisId>& axes) {
  int64_t count = 1;
  for (const AxisId axis : axes) count *= mesh.axes[at(axis)].size;
  return count;
}

/// The loops of the rank that has most of them.
double work_of(const ShardingRule& rule, const Mesh& mesh, const FactorAxes& axes) {
  double work = 1;
  for (size_t f = 0; f < axes.size(); ++f) {
    const int64_t parts = parts_of(mesh, axes[f]);
    work *= static_cast<double>((rule.factors[f].extent + parts - 1) / parts);
  }
  return work;
}

/// The factors that may be cut, largest first, and no more than kMostWays allow.
std::vector<FactorId> factors_to_cut(const ShardingRule& rule, const Mesh& mesh, bool whole_sums) {
  std::vector<FactorId> factors;
  for (size_t f = 0; f < rule.factors.size(); ++f) {
    const ShardingRule::Factor& factor = rule.factors[f];
    const auto id = static_cast<FactorId>(f);
    if (factor.whole) continue;
    if (whole_sums && factor.reduce == ReduceOp::kSum && is_reduced(rule, id)) continue;
    factors.push_back(id);
  }
  std::stable_sort(factors.begin(), factors.end(), [&](FactorId a, FactorId b) {
    return rule.factors[at(a)].extent > rule.factors[at(b)].extent;
  });
  const auto ways = [&] {
    size_t count = 1;
    for (size_t axis = 0; axis < mesh.axes.size() && count <= kMostWays; ++axis)
      count *= factors.size() + 1;
    return count;
  };
  while (factors.size() > 1 && ways() > kMostWays) factors.pop_back();
  return factors;
}

std::string text_of(const RuleLayouts& layouts) {
  std::string text;
  for (const Layout& layout : layouts.operands)
    text += (text.empty() ? "" : ", ") + dims_to_string(layout);
  return text;
}

/// The axes that split some loop of the node.
std::vector<bool> axes_of_loops(const RuleLayouts& layouts, size_t axes) {
  std::vector<bool> used(axes, false);
  for (const auto* list : {&layouts.operands, &layouts.results}) {
    for (const Layout& layout : *list) {
      for (const auto& dim : layout.dims)
        for (const AxisId axis : dim) used[at(axis)] = true;
      for (const Partial& partial : layout.partial) used[at(partial.axis)] = true;
    }
  }
  return used;
}

/// See Way::gradients.
Layout gradient_of(const Layout& operand, const std::vector<bool>& of_loops) {
  std::vector<bool> sums = of_loops;
  for (const auto& dim : operand.dims)
    for (const AxisId axis : dim) sums[at(axis)] = false;
  Layout made = operand;
  for (size_t axis = 0; axis < sums.size(); ++axis)
    if (sums[axis]) made.partial.push_back({static_cast<AxisId>(axis), ReduceOp::kSum});
  return made;
}

uint64_t key_of(LayoutId from, LayoutId to, TensorId tensor) {
  constexpr int kBits = 21;
  return (static_cast<uint64_t>(from) << (2 * kBits)) | (static_cast<uint64_t>(to) << kBits) |
         static_cast<uint64_t>(tensor);
}

}  // namespace

LayoutId Ways::layout(const Layout& layout) {
  const auto [known, is_new] =
      layout_ids_.try_emplace(to_string(layout), static_cast<LayoutId>(layouts_.size()));
  if (is_new) layouts_.push_back(layout);
  return known->second;
}

LayoutId Ways::whole(LayoutId id) {
  const auto known = whole_.find(id);
  if (known != whole_.end()) return known->second;
  Layout made = of(id);
  made.partial.clear();
  return whole_[id] = layout(made);
}

TensorId Ways::tensor(const Shape& global, int64_t element_bytes) {
  const auto [known, is_new] =
      tensor_ids_.try_emplace(fmt::format("{} {}", to_string(global), element_bytes),
                              static_cast<TensorId>(tensors_.size()));
  if (is_new) tensors_.push_back({global, element_bytes});
  return known->second;
}

int64_t Ways::bytes_on_a_rank(LayoutId layout, TensorId tensor) {
  const auto [known, is_new] = held_.try_emplace(key_of(layout, 0, tensor), 0);
  if (!is_new) return known->second;
  const Tensor& held = tensors_[at(tensor)];
  int64_t bytes = held.element_bytes;
  for (size_t d = 0; d < held.global.size(); ++d) {
    const int64_t parts = part_count(of(layout), d);
    bytes *= (held.global[d] + parts - 1) / parts;
  }
  return known->second = bytes;
}

const Price& Ways::price(LayoutId from, LayoutId to, TensorId tensor) {
  const auto [known, is_new] = prices_.try_emplace(key_of(from, to, tensor));
  if (!is_new) return known->second;
  const Tensor& moved = tensors_[at(tensor)];
  const Plans::Priced& priced = plans_.find(of(from), of(to), moved.global, moved.element_bytes);
  Price& price = known->second;
  price.cost = priced.cost;
  price.is_free = priced.plan.steps.empty();
  if (price.is_free) return price;
  for (const Rank rank : of(to).mesh->all_ranks())
    price.bytes += traffic(priced.plan, moved.global, moved.element_bytes, rank, costs_).bytes;
  return price;
}

Way Ways::one(const ShardingRule& rule, const RuleLayouts& layouts, std::string sharding) {
  Way way;
  for (const Layout& operand : layouts.operands) way.operands.push_back(layout(operand));
  for (const Layout& result : layouts.results) way.results.push_back(layout(result));
  const auto of_loops = axes_of_loops(layouts, layouts.operands.at(0).mesh->axes.size());
  for (const Layout& operand : layouts.operands)
    way.gradients.push_back(layout(gradient_of(operand, of_loops)));
  way.work = 1;
  for (const ShardingRule::Factor& factor : rule.factors)
    way.work *= static_cast<double>(factor.extent);
  way.sharding = std::move(sharding);
  return way;
}

const std::vector<Way>& Ways::all(const ShardingRule& rule, const MeshPtr& mesh, bool whole_sums) {
  const auto [known, is_new] =
      ways_.try_emplace(to_string(rule) + to_string(*mesh) + (whole_sums ? "!" : ""));
  std::vector<Way>& ways = known->second;
  if (!is_new) return ways;
  const std::vector<FactorId> factors = factors_to_cut(rule, *mesh, whole_sums);
  std::vector<size_t> pick(mesh->axes.size(), 0);  // per axis: 0, or 1 + a place in factors
  while (true) {
    FactorAxes axes(rule.factors.size());
    for (size_t axis = 0; axis < pick.size(); ++axis)
      if (pick[axis] > 0) axes[at(factors[pick[axis] - 1])].push_back(static_cast<AxisId>(axis));
    if (why_not(rule, *mesh, axes).empty()) {
      const RuleLayouts layouts = layouts_of(rule, mesh, axes);
      ways.push_back(one(rule, layouts, text_of(layouts)));
      ways.back().work = work_of(rule, *mesh, axes);
    }
    size_t axis = 0;
    while (axis < pick.size() && (mesh->axes[axis].size == 1 || ++pick[axis] > factors.size()))
      pick[axis++] = 0;
    if (axis == pick.size()) return ways;
  }
}

}  // namespace tessera::internal
