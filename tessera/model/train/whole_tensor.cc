#include "tessera/model/train/whole_tensor.h"

#include "tessera/comm/gather_boxes.h"

namespace tessera {

Tensor whole_tensor(const TrainedTensor& tensor, Communicator* world) {
  if (world == nullptr || tensor.layout.mesh == nullptr) return tensor.values;
  if (tensor.shape.empty()) {  // a number has no part that is empty
    Tensor number = tensor.values.clone();
    world->broadcast(number, tensor.layout.mesh->all_ranks().front());
    return number;
  }
  const Box none{Shape(tensor.shape.size(), 0), Shape(tensor.shape.size(), 0)};
  std::vector<Box> boxes;
  for (Rank rank = 0; rank < world->size(); ++rank)
    boxes.push_back(
        tensor.layout.mesh->find_place(rank) ? local_box(tensor.layout, tensor.shape, rank) : none);
  return collect_boxes(*world, tensor.values, boxes, tensor.shape, 0);
}

}  // namespace tessera
