#include "tests/sweep/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace tessera::testing {
namespace {

using Parts = std::vector<FactorPart>;

int64_t rank_count(const Sharding& sharding) {
  return std::accumulate(sharding.sizes.begin(), sharding.sizes.end(), int64_t{1},
                         std::multiplies<>());
}

/// The parts of all factors that one rank holds.
Parts parts_of(const ShardingRule& rule, const Sharding& sharding, int64_t rank) {
  std::vector<int64_t> index(rule.factors.size(), 0);
  std::vector<int64_t> count(rule.factors.size(), 1);
  int64_t below = rank_count(sharding);
  for (size_t axis = 0; axis < sharding.sizes.size(); ++axis) {
    below /= sharding.sizes[axis];
    if (sharding.factors[axis] < 0) continue;
    const auto f = static_cast<size_t>(sharding.factors[axis]);
    index[f] = index[f] * sharding.sizes[axis] + rank / below % sharding.sizes[axis];
    count[f] *= sharding.sizes[axis];
  }
  Parts parts;
  for (size_t f = 0; f < rule.factors.size(); ++f)
    parts.push_back(factor_part(rule.factors[f].extent, index[f], count[f]));
  return parts;
}

std::vector<TensorType> local_types(const ShardingRule& rule,
                                    const std::vector<ShardingRule::Dims>& dims,
                                    std::span<const TensorType> global, const Parts& parts) {
  std::vector<TensorType> types;
  for (size_t i = 0; i < dims.size(); ++i)
    types.emplace_back(global[i].dtype, global[i].global, *box_of(rule, dims[i], parts));
  return types;
}

Tensor combined(const Tensor& a, const Tensor& b, ReduceOp op) {
  const DType wide = info(a.dtype()).is_floating ? DType::kF64 : DType::kI64;
  const Tensor x = a.cast(wide);
  const Tensor y = b.cast(wide);
  Tensor z(wide, x.shape());
  const auto combine = [&](auto zero) {
    using T = decltype(zero);
    for (size_t i = 0; i < x.data<T>().size(); ++i) {
      const T p = x.data<T>()[i];
      const T q = y.data<T>()[i];
      z.mutable_data<T>()[i] =
          op == ReduceOp::kSum ? p + q : (op == ReduceOp::kMax ? std::max(p, q) : std::min(p, q));
    }
  };
  if (wide == DType::kF64)
    combine(0.0);
  else
    combine(int64_t{0});
  return z.cast(a.dtype());
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

/// Puts one result together from what the ranks hold of it.
class Assembly {
 public:
  Assembly(const ShardingRule& rule, const TensorType& type) : rule_(rule), type_(type) {}

  void add(const Box& box, const Parts& parts, const Tensor& tensor) {
    if (is_empty(box)) return;
    // Ranks with the same box and the same parts of all reduced factors are replicas.
    std::vector<int64_t> key;
    for (size_t f = 0; f < parts.size(); ++f)
      if (is_reduced(rule_, static_cast<FactorId>(f))) key.push_back(parts[f].begin);
    for (size_t f = 0; f < parts.size(); ++f)
      if (is_reduced(rule_, static_cast<FactorId>(f))) key.push_back(parts[f].size);
    auto& partials = boxes_[to_string(box)];
    partials.box = box;
    const auto [it, is_new] = partials.tensors.emplace(key, tensor);
    if (!is_new && !same_bytes(it->second, tensor))
      fail(ErrorCode::kInternal, "replicas of {} differ", to_string(box));
  }

  Tensor whole() const {
    Tensor out(type_.dtype, type_.global);
    int64_t filled = 0;
    for (const auto& [text, partials] : boxes_) {
      auto it = partials.tensors.begin();
      Tensor sum = it->second;
      while (++it != partials.tensors.end()) sum = combined(sum, it->second, reduce_op());
      Tensor target = out.slice(partials.box);
      copy_elements(sum, target);
      filled += sum.size();
    }
    // Boxes that differ do not overlap, so the counts add up exactly when nothing is missing.
    if (filled != out.size())
      fail(ErrorCode::kInternal, "the ranks hold {} of {} elements", filled, out.size());
    return out;
  }

 private:
  struct Partials {
    Box box;
    std::map<std::vector<int64_t>, Tensor> tensors;
  };

  ReduceOp reduce_op() const {
    for (size_t f = 0; f < rule_.factors.size(); ++f)
      if (is_reduced(rule_, static_cast<FactorId>(f)) && !rule_.factors[f].whole)
        return rule_.factors[f].reduce;
    return ReduceOp::kSum;
  }

  const ShardingRule& rule_;
  const TensorType& type_;
  std::map<std::string, Partials> boxes_;
};

}  // namespace

std::string Sharding::text(const ShardingRule& rule) const {
  std::string mesh;
  std::string names;
  for (size_t a = 0; a < sizes.size(); ++a) {
    mesh += (a > 0 ? "x" : "") + std::to_string(sizes[a]);
    names += a > 0 ? ", " : "";
    names += factors[a] < 0 ? "-" : rule.factors[static_cast<size_t>(factors[a])].name;
  }
  return mesh + " over " + names;
}

std::vector<Sharding> every_sharding(const ShardingRule& rule, std::vector<int64_t> sizes) {
  std::vector<FactorId> choices = {-1};
  for (size_t f = 0; f < rule.factors.size(); ++f)
    if (!rule.factors[f].whole && rule.factors[f].extent > 1)
      choices.push_back(static_cast<FactorId>(f));
  std::vector<Sharding> all = {{std::move(sizes), {}}};
  for (size_t axis = 0; axis < all[0].sizes.size(); ++axis) {
    std::vector<Sharding> longer;
    for (const Sharding& sharding : all) {
      for (const FactorId choice : choices) {
        longer.push_back(sharding);
        longer.back().factors.push_back(choice);
      }
    }
    all = std::move(longer);
  }
  std::erase_if(all, [](const Sharding& sharding) {
    return std::all_of(sharding.factors.begin(), sharding.factors.end(),
                       [](FactorId f) { return f < 0; });
  });
  return all;
}

bool is_legal(const ShardingRule& rule, const Sharding& sharding) {
  for (int64_t rank = 0; rank < rank_count(sharding); ++rank) {
    const Parts parts = parts_of(rule, sharding, rank);
    for (const auto* tensors : {&rule.operands, &rule.results})
      for (const ShardingRule::Dims& dims : *tensors)
        if (!box_of(rule, dims, parts)) return false;
  }
  return true;
}

std::vector<Tensor> simulate(const ExampleCall& example, const ShardingRule& rule,
                             const Sharding& sharding, RunCall run) {
  std::vector<Assembly> assemblies;
  for (const TensorType& type : example.result_types) assemblies.emplace_back(rule, type);
  for (int64_t rank = 0; rank < rank_count(sharding); ++rank) {
    const Parts parts = parts_of(rule, sharding, rank);
    const auto operand_types = local_types(rule, rule.operands, example.operand_types, parts);
    const auto result_types = local_types(rule, rule.results, example.result_types, parts);
    std::vector<Tensor> operands;
    for (size_t i = 0; i < operand_types.size(); ++i)
      operands.push_back(example.operands[i].slice(operand_types[i].box).clone());
    const OpCall call{operand_types, result_types, example.attrs, {}};
    const std::vector<Tensor> results = run(*example.op, call, operands);
    for (size_t r = 0; r < results.size(); ++r)
      assemblies[r].add(result_types[r].box, parts, results[r]);
  }
  std::vector<Tensor> whole;
  for (const Assembly& assembly : assemblies) whole.push_back(assembly.whole());
  return whole;
}

}  // namespace tessera::testing
