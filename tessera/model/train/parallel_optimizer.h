// MindSpore's parallel optimizer: ranks that hold the same part of a parameter share what is kept
// of it, dim 0 of the part cut once more. Which parameters, and among how many ranks:
#pragma once

#include <optional>

#include "tessera/passes/place.h"

namespace tessera {

struct ParallelOptimizer {
  bool gradient_accumulation_shard = false;  // accu_grads.* are cut as well
  /// KiB: parameters that are smaller, all of their elements counted, are not cut.
  int parallel_optimizer_threshold = 64;
  /// How many ranks share a part; -1: all that hold it, as where this does not divide them.
  int optimizer_weight_shard_size = -1;
};

/// The cut of what lies in `layout`; nothing where it is too small, no rank holds the same, or the
/// ranks do not divide dim 0 of the part. Throws kInvalidArgument for numbers that cannot be.
std::optional<FurtherCut> cut_further(const ParallelOptimizer& how, const ValueInfo& value,
                                      const Layout& layout);
/// The same of every parameter, as PlaceOptions takes it.
decltype(PlaceOptions::cut_further) further_cuts(const ParallelOptimizer& how);

}  // namespace tessera
