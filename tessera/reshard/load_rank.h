// What one rank of a destination holds, as tensors in memory. Only what it needs is read, once.
//
//   PlanOptions options;
//   options.ranks = {3};
//   const ReshardPlan plan = plan_reshard(source, destination, options);
//   std::vector<Tensor> tensors = load_rank(source, destination, plan);
#pragma once

#include <vector>

#include "tessera/reshard/plan.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

/// A tensor per holding of the plan's one rank, in their order; undefined for strings and maps.
/// `plan` must have passed verify. Throws kCorruptData naming the tensor where replicas differ,
/// kIo.
std::vector<Tensor> load_rank(const Source& source, const Destination& destination,
                              const ReshardPlan& plan);

}  // namespace tessera
