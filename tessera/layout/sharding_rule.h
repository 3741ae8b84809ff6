// How the dims of an op's operands and results relate, in einsum-like notation. One rule gives the
// shape check, the result shapes, every legal sharding, and where a sharding leaves partial sums.
//
//   m k, k n -> m n                        matmul: k is summed over, so splitting k leaves a
//   partial sum
//   ... [c] -> ... [c]                     softmax: c must be whole on every rank
//   ..., ... -> ...                        elementwise: dims align from the right; extent 1
//   broadcasts n (g=2 i) [h] [w], (g=2 o) i [p] [q] -> n (g=2 o) [y=5] [x=5]
//                                          a dim of two factors, major first; extents given with
//                                          '='
//   ... max:c -> ...                       c is reduced by max, not by sum
//
// A factor in brackets anywhere is whole everywhere. A factor that no result has is reduced. A
// factor that only results have needs its extent written out.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/tensor/box.h"
#include "tessera/tensor/rank.h"

namespace tessera {

using FactorId = int;

struct ShardingRule {
  struct Factor {
    std::string name;
    int64_t extent = 0;
    bool whole = false;                // may not be split
    ReduceOp reduce = ReduceOp::kSum;  // how partial results combine when no result has the factor
    bool operator==(const Factor&) const = default;
  };
  using Dims = std::vector<std::vector<FactorId>>;  // per dim its factors, major to minor; an
                                                    // empty list is an extent-1 dim that broadcasts
  std::vector<Factor> factors;
  std::vector<Dims> operands;
  std::vector<Dims> results;

  bool operator==(const ShardingRule&) const = default;
};

/// Reads a rule and fits it to the operands' global shapes. Throws kInvalidArgument when the text
/// is no rule, or naming the dim when extents contradict each other.
ShardingRule parse_rule(std::string_view text, std::span<const Shape> operands);

/// The rule with every factor's extent; parse_rule reads it back to an equal rule.
std::string to_string(const ShardingRule& rule);

/// The global result shapes.
std::vector<Shape> result_shapes(const ShardingRule& rule);
/// Whether some result has the factor; if not, splitting it leaves partial results.
bool is_reduced(const ShardingRule& rule, FactorId factor);

/// One rank's share of every factor: [begin, begin + size). Splits follow the floor rule: part i of
/// n begins at extent * i / n.
struct FactorPart {
  int64_t begin = 0;
  int64_t size = 0;
  bool operator==(const FactorPart&) const = default;
};
FactorPart factor_part(int64_t extent, int64_t index, int64_t count);

/// The region of a tensor with these dims that a rank with these parts holds, or nothing where the
/// parts of a dim's factors do not form one contiguous range.
std::optional<Box> box_of(const ShardingRule& rule, const ShardingRule::Dims& dims,
                          std::span<const FactorPart> parts);

}  // namespace tessera
