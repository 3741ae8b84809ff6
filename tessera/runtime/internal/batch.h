// Cutting a graph along its batch: rows of the first dim that no node mixes can be computed apart,
// each piece by one thread from beginning to end, which beats threads that meet after every node,
// and few enough that its activations stay in the cache.
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

/// How many pieces of rows to compute apart: as many as keep a piece's activations in the cache, a
/// multiple of the threads where there are rows and work enough; 1 for all at once. `rows`: the
/// batch, of batch_of.
int64_t piece_count(const Graph& graph, int64_t rows, int threads);

/// Multiply-adds of products with weights and elements of everything else, per run; an estimate.
double work_of(const Graph& graph);

}  // namespace tessera::internal
