// What a search for a placement looks at, by number: layouts, kinds of tensors, the ways to split a
// node, and what it takes to get from one layout to another.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tessera/layout/redistribute.h"
#include "tessera/layout/rule_layouts.h"
#include "tessera/passes/internal/choose.h"

namespace tessera::internal {

using LayoutId = int;
using TensorId = int;  // of a global shape and the bytes of an element

/// One way to split a node.
struct Way {
  std::vector<LayoutId> operands;
  std::vector<LayoutId> results;
  /// In which layout each operand's gradient is computed: as the operand lies, but partial along
  /// the axes that split the node's loops and not the operand.
  std::vector<LayoutId> gradients;
  double work = 0;       // iterations of its loops on the rank that has most
  std::string sharding;  // in the notation of shard.h
};

/// From one layout to another.
struct Price {
  int64_t bytes = 0;    // all ranks receive together
  double cost = 0;      // by which place() chooses between the forms of a value
  bool is_free = true;  // nothing is to be done
};

class Ways {
 public:
  explicit Ways(const CostModel& costs) : costs_(costs), plans_(costs) {}

  LayoutId layout(const Layout& layout);
  TensorId tensor(const Shape& global, int64_t element_bytes);
  const Layout& of(LayoutId id) const { return layouts_[static_cast<size_t>(id)]; }
  /// The layout with its partial values combined.
  LayoutId whole(LayoutId id);

  /// Of what the rank that has most holds.
  int64_t bytes_on_a_rank(LayoutId layout, TensorId tensor);
  const Price& price(LayoutId from, LayoutId to, TensorId tensor);
  /// Every way that gives each axis of the mesh to a factor of the rule, or to none. `whole_sums`:
  /// no factor that is summed is cut. References stay valid.
  const std::vector<Way>& all(const ShardingRule& rule, const MeshPtr& mesh, bool whole_sums);
  /// The one way of a node that says how it is sharded.
  Way one(const ShardingRule& rule, const RuleLayouts& layouts, std::string sharding);

 private:
  struct Tensor {
    Shape global;
    int64_t element_bytes = 4;
  };

  CostModel costs_;
  Plans plans_;
  std::vector<Layout> layouts_;
  std::unordered_map<std::string, LayoutId> layout_ids_;
  std::unordered_map<LayoutId, LayoutId> whole_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string, TensorId> tensor_ids_;
  std::unordered_map<uint64_t, int64_t> held_;
  std::unordered_map<uint64_t, Price> prices_;
  std::unordered_map<std::string, std::vector<Way>> ways_;
};

}  // namespace tessera::internal
