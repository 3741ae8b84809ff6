// What a search knows of a training step beside its forward pass: which values have gradients, and
// which the backward pass reads.
#pragma once

#include <span>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::internal {

/// The first nodes of a step: what they compute is its output; all else stays.
Graph forward_part(const Graph& step, size_t nodes);

/// Per value of the step.
struct Backward {
  std::vector<bool> has_gradient;  // it is between something trained and the output
  std::vector<bool> is_read;       // by a node behind the first ones
};
Backward backward_of(const Graph& step, size_t forward_nodes, std::span<const ValueId> trained);

}  // namespace tessera::internal
