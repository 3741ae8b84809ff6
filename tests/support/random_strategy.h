// Strategies for property tests: any that MindSpore's files can hold, and any at all.
#pragma once

#include <random>

#include "tessera/checkpoint/strategy.h"

namespace tessera::testing {

class RandomStrategy {
 public:
  explicit RandomStrategy(uint32_t seed) : random_(seed) {}

  /// `nested`: a dim may be cut by several axes. Shapes are even, where there are any.
  Strategy mindspore(bool nested) {
    Strategy strategy;
    strategy.stage_count = pick(1, 4) == 1 ? pick(2, 4) : 1;
    strategy.current_stage = pick(0, 3);
    strategy.ranks_per_stage = 1 << pick(1, 4);
    if (pick(0, 3) == 0) strategy.ranks_per_stage *= 3;
    for (int stage = 0; stage < strategy.stage_count; ++stage) {
      const int count = pick(1, 5);
      for (int i = 0; i < count; ++i) {
        strategy.parameters.push_back(parameter(strategy.ranks_per_stage, nested));
        strategy.parameters.back().stage = stage;
        strategy.parameters.back().name += std::to_string(i);
        strategy.operators.push_back(operator_of(strategy.parameters.back()));
      }
    }
    index_parameters(strategy);
    return strategy;
  }

  /// What only layouts.txt can say: patterns, any number of dims, meshes with names and ranks.
  Strategy any() {
    Strategy strategy = mindspore(true);
    for (size_t i = 0; i < strategy.parameters.size(); ++i) {
      ParameterLayout& one = strategy.parameters[i];
      const int what = pick(0, 5);
      if (what == 0) {
        one.is_pattern = true;
        one.name = "p" + std::to_string(i) + (pick(0, 1) == 0 ? ".*" : ".?.*x");
      } else if (what == 1) {
        one.any_ndim = true;
        one.layout.dims.clear();
        one.shape.reset();
      } else if (what == 2) {
        const char* names[] = {"mesh", "a b", "#c", "[d]", "e*", "\"f\"", "\xC3\xA4\n\x7F", "{g}"};
        one.name = names[pick(0, 7)] + std::to_string(i);
        if (pick(0, 4) == 0) one.name = "stage";
      } else if (what == 3) {
        reorder(one);
      }
    }
    require_distinct(strategy);
    strategy.ranks_per_stage = 1;
    for (const ParameterLayout& one : strategy.parameters)
      strategy.ranks_per_stage = std::max(strategy.ranks_per_stage, one.layout.mesh->rank_count());
    return strategy;
  }

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  uint32_t bits() { return random_(); }

 private:
  std::vector<int> factors(int count) {
    std::vector<int> factors;
    while (count > 1) {
      int factor = pick(1, 3) == 1 ? count : count % 3 == 0 && pick(0, 1) == 0 ? 3 : 2;
      if (count % factor != 0) factor = count;
      factors.push_back(factor);
      count /= factor;
      if (pick(0, 5) == 0) factors.push_back(1);
    }
    return factors;
  }

  ParameterLayout parameter(int ranks, bool nested) {
    ParameterLayout one;
    TensorMap map{factors(ranks), {}};
    const int ndim = pick(0, 4);
    map.dims.resize(static_cast<size_t>(ndim));
    for (int device = 0; device < static_cast<int>(map.device_matrix.size()); ++device) {
      const int dim = pick(-1, ndim - 1);
      if (dim < 0) continue;
      std::vector<int>& list = map.dims[static_cast<size_t>(dim)];
      if (list.empty() || nested)
        list.insert(list.begin() + pick(0, static_cast<int>(list.size())), device);
    }
    one.layout = from_tensor_map(map);
    one.name = pick(0, 3) == 0 ? "layer-norm.w" : "net.w";
    add_options(one);
    return one;
  }

  void add_options(ParameterLayout& one) {
    const size_t ndim = one.layout.dims.size();
    if (pick(0, 4) == 0) one.field = pick(1, 9);
    if (ndim > 0 && pick(0, 4) == 0) {
      int64_t at = 0;
      for (int i = 0; i < part_count(one.layout, 0); ++i) {
        one.row_offsets.push_back(at - 3);
        one.split_rows.push_back(pick(0, 300));
        at += one.split_rows.back();
      }
    }
    const std::vector<Rank> group = replica_group(one.layout, 0);
    if (ndim > 0 && group.size() > 1 && pick(0, 2) == 0) {
      one.optimizer_step = (group.back() - group.front()) / (static_cast<int>(group.size()) - 1);
      one.optimizer_size = pick(0, 1) == 0 ? -1 : static_cast<int>(group.size());
    }
    if (pick(0, 1) == 0) return;
    Shape shape;
    for (size_t d = 0; d < ndim; ++d) shape.push_back(part_count(one.layout, d) * pick(0, 5) * 48);
    one.shape = shape;
  }

  static OperatorStrategy operator_of(const ParameterLayout& one) {
    OperatorStrategy op{"Op" + std::to_string(one.stage) + "_" + one.name, one.stage, {}};
    for (size_t d = 0; d < one.layout.dims.size(); ++d)
      op.operands.push_back(std::vector<int>(d, part_count(one.layout, d)));
    return op;
  }

  void reorder(ParameterLayout& one) {
    Mesh mesh = *one.layout.mesh;
    for (size_t a = 0; a < mesh.axes.size(); ++a) mesh.axes[a].name = "ax_" + std::to_string(a);
    for (int rank = mesh.rank_count(); rank-- > 0;) mesh.ranks.push_back(rank);
    one.layout.mesh = make_mesh(mesh.axes, mesh.ranks);
    if (const std::vector<AxisId> free = replica_axes(one.layout);
        !free.empty() && one.optimizer_size == 0)
      one.layout.partial.push_back({free[0], pick(0, 1) == 0 ? ReduceOp::kSum : ReduceOp::kMax});
  }

  static void require_distinct(Strategy& strategy) {
    for (size_t i = 0; i < strategy.parameters.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        if (strategy.parameters[i].name == strategy.parameters[k].name)
          strategy.parameters[i].name += (strategy.parameters[i].is_pattern ? "q" : "'");
  }

  std::mt19937 random_;
};

}  // namespace tessera::testing
