// Less memory for more time: what the forward pass made in some scopes is not kept for the backward
// pass but computed again.
//
//   graph = recompute(graph, loss, {{"layer1.*", "layer2.*"}});
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera {

struct Recomputed {
  Graph graph;
  /// Per node of it the node of the given graph that it is, or computes again.
  std::vector<size_t> origins;
};

/// `graph` has a backward pass behind the node that computes `loss`. The shortest prefix of a
/// node's scope that fits a pattern is its segment: "layer1.0" of "layer1.0.conv1"; with `stages`,
/// which are per node, it ends where a pipeline's stage does. What is read in its own segment only
/// is computed again before the backward pass reads it, from what comes into the segment, which is
/// kept; so are values much smaller than what they are made of. Results are the same to the bit.
/// Throws kInvalidArgument for a pattern that no forward node fits.
Recomputed recompute(const Graph& graph, ValueId loss, std::span<const std::string> patterns,
                     std::span<const int> stages = {});

}  // namespace tessera
