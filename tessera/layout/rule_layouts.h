// From a sharding rule and the mesh axes that split its factors to the layouts under which every
// rank computes the op on what it has:
//
//   "m k, k n -> m n" on {dp=2,tp=4} with m by dp and k by tp:
//   [dp, tp], [tp, -] -> [dp, -] +tp
#pragma once

#include <string>
#include <vector>

#include "tessera/layout/layout.h"
#include "tessera/layout/sharding_rule.h"

namespace tessera {

/// Per factor of a rule the axes that split it, major to minor.
using FactorAxes = std::vector<std::vector<AxisId>>;

struct RuleLayouts {
  std::vector<Layout> operands;
  std::vector<Layout> results;
  bool operator==(const RuleLayouts&) const = default;
};

/// Why the op cannot be split so: a factor that must be whole, or a dim of several factors whose
/// parts are no boxes of the dim ("dim 1 of operand 0 (c=16 h=5 w=5) cannot be cut in 3 at 'c'").
/// Empty where it can. Throws kInvalidArgument for an axis that is used twice or is not there.
std::string why_not(const ShardingRule& rule, const Mesh& mesh, const FactorAxes& axes);

/// The layouts; why_not must be empty. Axes of reduced factors leave partial values.
RuleLayouts layouts_of(const ShardingRule& rule, const MeshPtr& mesh, const FactorAxes& axes);

}  // namespace tessera
