// Adds to a graph the nodes that compute gradients, by the ops' own functions (graph/gradient.h):
// the backward pass.
//
//   std::vector<ValueId> grads = add_gradients(graph, loss, {w, b});
#pragma once

#include <span>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera {

/// Gradients of `loss` with respect to each of `wanted`, of their dtypes and shapes: zeros for one
/// that the loss does not depend on. `loss` is a scalar; with `seed`, of loss's type, the gradients
/// of seed · loss, such as a scale for small dtypes. Nodes take the scope of the node that they are
/// the gradient of; `origins`, where it is given, says which that is, per node that was added.
/// Throws kInvalidArgument where the loss is no floating-point scalar, and
/// kUnsupported naming the node where an op on the way has no gradient.
std::vector<ValueId> add_gradients(Graph& graph, ValueId loss, std::span<const ValueId> wanted,
                                   ValueId seed = -1, std::vector<size_t>* origins = nullptr);

}  // namespace tessera
