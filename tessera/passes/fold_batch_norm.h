// Moves batch norm into the conv2d or dense before it, where nothing else reads that result:
//
//   y = (W x + b - mean) / s * gamma + beta,   s = sqrt(variance + epsilon)
//     = (W * scale) x + ((b - mean) * scale + beta),   scale = gamma / s
//
// The new weight and bias are nodes of parameters only: they are computed when the program is
// compiled.
#pragma once

#include "tessera/graph/graph.h"

namespace tessera {

Graph fold_batch_norm(Graph graph);

}  // namespace tessera
