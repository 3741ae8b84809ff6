// Where the elements of a padded dim come from: pad and its gradient.
#pragma once

#include <cstdint>

namespace tessera::internal {

/// The index of the element that stands `distance` before the first or behind the last one; `edge`
/// is 1 where the mirror lies on the outermost element (reflect), 0 where it lies beside it.
inline int64_t mirrored(int64_t index, int64_t extent, int64_t edge) {
  if (index < 0) return -index - 1 + edge;
  if (index >= extent) return 2 * extent - index - 1 - edge;
  return index;
}

}  // namespace tessera::internal
