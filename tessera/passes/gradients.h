// Adds to a graph the nodes that compute gradients, by the ops' own functions (graph/gradient.h):
// the backward pass.
//
//   std::vector<ValueId> grads = add_gradients(graph, loss, {w, b});
// What is the gradient of a value is called after it: "grad.fc1.weight"; where several nodes read
// the value, the gradients that come from them and their sums are "grad.x", "grad.x~2", "grad.x~3",
// ….
#pragma once

#include <optional>
#include <span>
#include <string_view>
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

/// Whose gradient a value of this name is; nothing: it is none. What follows an '@' counts where a
/// value has it too: the micro-batch.
std::optional<ValueId> value_of_gradient(const Graph& graph, std::string_view name);

}  // namespace tessera
