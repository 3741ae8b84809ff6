// Runs one call as several ranks would, by the op's rule alone: every rank gets its boxes of the
// operands, computes, and the results are put together again.
#pragma once

#include <string>
#include <vector>

#include "tests/sweep/example_call.h"

namespace tessera::testing {

/// A mesh and what it splits: axis a of `sizes` splits factor `factors[a]`, or nothing where that
/// is -1. Two axes may split one factor; the first is the major one.
struct Sharding {
  std::vector<int64_t> sizes;
  std::vector<FactorId> factors;

  /// "2x2 over n, c".
  std::string text(const ShardingRule& rule) const;
};

/// Every sharding of the mesh that splits something, allowed by the rule or not: factors that may
/// be split and have more than one index.
std::vector<Sharding> every_sharding(const ShardingRule& rule, std::vector<int64_t> sizes);

/// Whether every rank's boxes are boxes; where not, the rule does not allow the sharding.
bool is_legal(const ShardingRule& rule, const Sharding& sharding);

/// Computes what one rank has of a call.
using RunCall = std::vector<Tensor> (*)(const OpDef& op, const OpCall& call,
                                        std::span<const Tensor> operands);

/// The results of all ranks as whole tensors. Throws kInternal when they leave a hole or replicas
/// differ.
std::vector<Tensor> simulate(const ExampleCall& example, const ShardingRule& rule,
                             const Sharding& sharding, RunCall run = run_reference);

}  // namespace tessera::testing
