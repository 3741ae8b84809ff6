// A tensor put together from the parts that ranks hold.
#pragma once

#include <span>

#include "tessera/comm/communicator.h"
#include "tessera/tensor/box.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

/// All of a tensor of this shape, of which rank r holds boxes[r] and this one `mine`; boxes may be
/// empty, or overlap where they hold the same. Collective.
Tensor gather_boxes(Communicator& world, const Tensor& mine, std::span<const Box> boxes,
                    const Shape& shape);

/// The same on rank `root` alone, which takes each part from one of the ranks that hold it; on the
/// others `mine`. Collective.
Tensor collect_boxes(Communicator& world, const Tensor& mine, std::span<const Box> boxes,
                     const Shape& shape, Rank root);

}  // namespace tessera
