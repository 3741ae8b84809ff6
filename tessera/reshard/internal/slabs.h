// Cuts tensors into slabs that fit into staging memory. A slab is one index in the leading dims, a
// range in one dim and everything in the dims after it: so the part of any row-major box in a slab
// is one run of the box's elements.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "tessera/tensor/box.h"

namespace tessera::internal {

class SlabGrid {
 public:
  /// Slabs of about `bytes` of a tensor with elements of `width` bytes, at least one element each.
  SlabGrid(const Shape& shape, int64_t width, uint64_t bytes);

  uint64_t count() const { return outer_ * per_outer_; }
  Box box(uint64_t index) const;

 private:
  Shape shape_;
  size_t dim_ = 0;      // the dim that is cut into ranges
  int64_t step_ = 1;    // its extent in a slab
  uint64_t outer_ = 1;  // indices of the dims before it
  uint64_t per_outer_ = 1;
};

/// Work for one thread: some small tensors whole, or one slab of a large one.
struct SlabItem {
  uint32_t first = 0;  // tensors [first, last)
  uint32_t last = 0;
  uint64_t slab = 0;  // of the tensor, where it is one; see is_whole
  bool is_whole = true;
};

/// A tensor to cut: elements of `width` bytes.
struct SlabExtent {
  Shape shape;
  int64_t width = 0;
};

/// The tensors [0, count) in order, each element in one item of about `staging` bytes at most;
/// those that are nothing or empty are in none, or in one with others.
std::vector<SlabItem> make_items(
    uint32_t count, uint64_t staging,
    const std::function<std::optional<SlabExtent>(uint32_t)>& extent_of);

}  // namespace tessera::internal
