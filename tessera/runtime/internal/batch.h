// Cutting a graph along its batch: rows of the first dim that no node mixes can be computed apart,
// each part by a thread of its own from beginning to end, which beats threads that meet after every
// node.
#pragma once

#include <optional>

#include "tessera/graph/graph.h"

namespace tessera::internal {

/// The extent of the batch when every input and output has one, and every node on the way computes
/// each row from the same row alone, as its rule says. 0 otherwise.
int64_t batch_of(const Graph& graph);

/// The graph with another batch; value ids stay. Nothing where some attribute fixes the batch, as
/// that of a reshape may.
std::optional<Graph> with_batch(const Graph& graph, int64_t rows);

/// Multiply-adds of products with weights and elements of everything else, per run; an estimate.
double work_of(const Graph& graph);

}  // namespace tessera::internal
