// Passes turn a graph into a better graph that computes the same. One file per pass; pipeline.cc
// orders them.
#pragma once

#include <span>
#include <string_view>

#include "tessera/graph/graph.h"

namespace tessera {

struct Pass {
  std::string_view name;
  std::string_view doc;
  Graph (*run)(Graph graph);
};

/// The passes of inference, in order: fold constants, fold batch norm, fuse, drop dead nodes.
std::span<const Pass> inference_passes();
/// Runs them and verifies the graph; errors name the pass that broke it.
Graph run_passes(Graph graph, std::span<const Pass> passes);

}  // namespace tessera
