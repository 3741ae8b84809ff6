// Whose files a rank of the destination needs, known from the strategies alone: before any file is
// fetched from where it lies.
#pragma once

#include <vector>

#include "tessera/reshard/plan.h"

namespace tessera {

/// The ranks of the source that `rank` of the destination takes bytes from, ascending. Of replicas
/// it takes the one of the lowest rank, as plan_reshard does. A null strategy stands for whole
/// tensors on one rank. Tensors that neither strategy names are in every file, so that they ask
/// for none; where nothing asks, the answer is rank 0.
///
/// Without the tensors' extents it goes by extents that every part divides: for extents that do
/// not divide, and that the strategies do not say, a rank at a boundary may be needed besides.
/// Throws kInvalidArgument when the destination has no such rank, and as destination_of does.
std::vector<Rank> ranks_needed(const Strategy* source, const Strategy* destination, Rank rank);

/// The ranks of the source whose files a plan reads for its results, ascending; without those that
/// only replicas are compared in.
std::vector<Rank> ranks_read(const ReshardPlan& plan, const Source& source);

}  // namespace tessera
