// All of a tensor of a training run whose parts lie on many ranks:
//
//   for (const TrainedTensor& tensor : trainer.tensors_of_all_ranks())
//     const Tensor whole = whole_tensor(tensor, trainer.world());
#pragma once

#include "tessera/model/train/trainer.h"

namespace tessera {

/// On rank 0 the whole, on others no matter what; `world` null: the tensor is whole. Collective.
Tensor whole_tensor(const TrainedTensor& tensor, Communicator* world);

}  // namespace tessera
