#include "tessera/comm/gather_boxes.h"

#include <algorithm>
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

Tensor collect_boxes(Communicator& world, const Tensor& mine, std::span<const Box> boxes,
                     const Shape& shape, Rank root) {
  const auto at = [&](Rank rank) -> const Box& { return boxes[static_cast<size_t>(rank)]; };
  if (at(root) == whole(shape)) return mine;
  const bool collects = world.rank() == root;
  Tensor all = collects ? Tensor(mine.dtype(), shape) : mine;
  for (Rank rank = 0; rank < world.size(); ++rank) {
    const auto first = std::find(boxes.begin(), boxes.end(), at(rank));
    const bool is_held = at(rank) == at(root) || first != boxes.begin() + rank;
    if (element_count(at(rank).size) == 0 || (is_held && rank != root)) continue;
    if (!collects) {
      if (rank == world.rank()) world.send(mine, root);
      continue;
    }
    Tensor target = all.slice(at(rank));
    if (rank == root) {
      copy_elements(mine, target);
    } else if (target.is_contiguous()) {
      world.receive(target, rank);
    } else {
      Tensor part(mine.dtype(), at(rank).size);
      world.receive(part, rank);
      copy_elements(part, target);
    }
  }
  return all;
}

}  // namespace tessera
