#include "tessera/comm/gather_boxes.h"

#include <vector>

namespace tessera {

Tensor gather_boxes(Communicator& world, const Tensor& mine, std::span<const Box> boxes,
                    const Shape& shape) {
  std::vector<Tensor> parts;
  for (const Box& box : boxes) parts.emplace_back(mine.dtype(), box.size);
  world.all_gather(mine, parts);
  Tensor all(mine.dtype(), shape);
  for (size_t r = 0; r < parts.size(); ++r) {
    Tensor target = all.slice(boxes[r]);
    copy_elements(parts[r], target);
  }
  return all;
}

}  // namespace tessera
