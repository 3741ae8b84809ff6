#include "tessera/reshard/internal/slabs.h"

#include <algorithm>

namespace tessera::internal {

SlabGrid::SlabGrid(const Shape& shape, int64_t width, uint64_t bytes) : shape_(shape) {
  // `row`: the bytes of one step of dim `dim_`.
  auto row = static_cast<uint64_t>(width);
  for (size_t d = 1; d < shape.size(); ++d) row *= static_cast<uint64_t>(shape[d]);
  while (dim_ + 1 < shape.size() && row > bytes) {
    outer_ *= static_cast<uint64_t>(shape[dim_]);
    ++dim_;
    row /= static_cast<uint64_t>(shape[dim_]);
  }
  if (shape.empty()) return;
  const int64_t most = std::max<int64_t>(static_cast<int64_t>(bytes / row), 1);
  step_ = std::min(most, shape[dim_]);
  per_outer_ = static_cast<uint64_t>((shape[dim_] + step_ - 1) / step_);
}

Box SlabGrid::box(uint64_t index) const {
  Box box = whole(shape_);
  if (shape_.empty()) return box;
  box.begin[dim_] = static_cast<int64_t>(index % per_outer_) * step_;
  box.size[dim_] = std::min(step_, shape_[dim_] - box.begin[dim_]);
  index /= per_outer_;
  for (size_t d = dim_; d-- > 0;) {
    box.begin[d] = static_cast<int64_t>(index % static_cast<uint64_t>(shape_[d]));
    box.size[d] = 1;
    index /= static_cast<uint64_t>(shape_[d]);
  }
  return box;
}

std::vector<SlabItem> make_items(
    uint32_t count, uint64_t staging,
    const std::function<std::optional<SlabExtent>(uint32_t)>& extent_of) {
  constexpr uint32_t kMostTogether = 1024;
  std::vector<SlabItem> items;
  uint64_t together = 0;  // bytes of the item that still takes tensors
  bool is_open = false;
  for (uint32_t t = 0; t < count; ++t) {
    const std::optional<SlabExtent> extent = extent_of(t);
    const int64_t elements = extent ? element_count(extent->shape) : 0;
    if (elements == 0) continue;
    const auto bytes = static_cast<uint64_t>(checked_product(elements, extent->width));
    if (bytes > staging) {
      const uint64_t slabs = SlabGrid(extent->shape, extent->width, staging).count();
      for (uint64_t slab = 0; slab < slabs; ++slab) items.push_back({t, t + 1, slab, false});
      is_open = false;
    } else if (is_open && together + bytes <= staging && t - items.back().first < kMostTogether) {
      items.back().last = t + 1;
      together += bytes;
    } else {
      items.push_back({t, t + 1, 0, true});
      together = bytes;
      is_open = true;
    }
  }
  return items;
}

}  // namespace tessera::internal
