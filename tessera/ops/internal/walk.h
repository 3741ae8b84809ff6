// Steps through an index space once, in row-major order, keeping an offset into each of several
// tensors. A stride of 0 stands still: that is broadcasting in a source and reducing in a target.
#pragma once

#include <array>

#include "tessera/tensor/shape.h"

namespace tessera::internal {

/// Calls visit(offsets) for every index below `extents`; offsets[k] = sum(index * strides[k]).
template <size_t kTensors, typename Visit>
void walk(const Shape& extents, const std::array<Shape, kTensors>& strides, Visit visit) {
  if (element_count(extents) == 0) return;
  std::array<int64_t, kTensors> offsets{};
  Shape index(extents.size(), 0);
  while (true) {
    visit(offsets);
    size_t d = extents.size();
    while (d > 0) {
      --d;
      for (size_t k = 0; k < kTensors; ++k) offsets[k] += strides[k][d];
      if (++index[d] < extents[d]) break;
      for (size_t k = 0; k < kTensors; ++k) offsets[k] -= strides[k][d] * extents[d];
      index[d] = 0;
      if (d == 0) return;
    }
    if (extents.empty()) return;
  }
}

/// Strides of a row-major tensor of `shape` that is broadcast to `wide`: dims align from the right,
/// and a dim that stands still has stride 0.
inline Shape broadcast_strides(const Shape& shape, const Shape& wide) {
  const Shape own = row_major_strides(shape);
  Shape strides(wide.size(), 0);
  const size_t skipped = wide.size() - shape.size();
  for (size_t d = 0; d < shape.size(); ++d) strides[skipped + d] = shape[d] == 1 ? 0 : own[d];
  return strides;
}

}  // namespace tessera::internal
