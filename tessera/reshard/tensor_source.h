// Slices that are in memory as a source, as open_source makes one of files.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/reshard/source.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

/// What one rank holds of the tensor `name`.
struct RankTensor {
  Rank rank = 0;
  Tensor tensor;
};

/// A source of one tensor, cut over ranks as `strategy` says, which must name it. The slices must
/// be in the order of the ranks. Throws as open_source does.
Source source_of(const std::string& name, std::span<const RankTensor> slices,
                 const Strategy& strategy, const SourceOptions& options = {});

}  // namespace tessera
