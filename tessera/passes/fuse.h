// Joins what follows conv2d, dense and matmul into them, where nothing else reads what lies
// between, in the order in which the fused op computes:
//
//   activation(sum + bias + residual)
//
// bias: bias_add, or add of a value per channel that is known when the program is compiled;
// residual: add of a tensor of the result's shape, after a bias; activation: relu, relu6,
// leaky_relu, gelu (by tanh), sigmoid, tanh.
#pragma once

#include "tessera/graph/graph.h"

namespace tessera {

Graph fuse(Graph graph);

}  // namespace tessera
