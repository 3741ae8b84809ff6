// Moves elements of any dtype between orders: transpose, slice, concat and pad are this.
#pragma once

#include <cstddef>
#include <span>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

/// Elements of a buffer at offset + sum(index * stride); strides may be negative.
struct StridedView {
  int64_t offset = 0;
  Shape strides;
};

/// to[i] = from[i] for every index below `extents`. Both tensors are row-major and of one dtype;
/// the views are in elements.
void copy_strided(const Tensor& from, const StridedView& from_view, Tensor& to,
                  const StridedView& to_view, const Shape& extents);

}  // namespace tessera::internal
