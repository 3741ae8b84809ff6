// What slice and its gradient share: which elements of each dim are taken.
#pragma once

#include <vector>

#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/moves/strided_copy.h"

namespace tessera::internal {

/// begin, end and strides.
std::vector<AttrDef> slice_attrs();

/// Elements begin, begin + stride, ... of one dim, `count` of them.
struct SliceRange {
  int64_t begin = 0;
  int64_t stride = 1;
  int64_t count = 0;

  bool is_whole(int64_t extent) const { return begin == 0 && stride == 1 && count == extent; }
};

/// Those of every dim of `shape`; throws kInvalidArgument where the attributes do not fit it.
std::vector<SliceRange> slice_ranges(const OpCall& call, const Shape& shape);

/// The slice of a row-major tensor that is here as `shape`. Dims that are not whole are here in
/// full, and a whole dim has nothing to skip.
StridedView sliced_view(const std::vector<SliceRange>& ranges, const Shape& shape);

}  // namespace tessera::internal
