// Reads a result back and proves it equal to its source by digests.
#pragma once

#include "tessera/reshard/internal/stream.h"

namespace tessera::internal {

/// The digest of one entry of a file that holds `slices` of a tensor of shape `global`. Reads it in
/// parts of at most `staging` bytes.
Digest digest_of_slices(const Checkpoint& file, const Record& entry, std::span<const Box> slices,
                        const Shape& global, uint64_t staging);

/// Compares every tensor of every file, before they appear under their names, with the digest of
/// what it should hold. Throws kCorruptData naming file, tensor and rank.
void check_result(const Source& source, const Destination& destination, const OutputFiles& outputs,
                  const SourceDigests& digests, const ReshardPlan& plan);

}  // namespace tessera::internal
