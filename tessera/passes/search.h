// auto_parallel: how every node is sharded, for the fewest bytes moved in as little memory as there
// is. Pure, as placing is:
//
//   const MeshPtr mesh = search_mesh(8);
//   std::vector<Found> found = search(graph, {.mesh = mesh});
//   apply(graph, found.front(), mesh);                // or the first whose memory fits
//   Placed placed = place(graph, {.mesh = mesh});
//
// Of a training step the forward pass is searched; what the backward pass moves and holds follows
// from it: a value that is moved has its gradient moved back, and the gradient of an operand is a
// sum over the axes that split the node's loops and not the operand. docs/decisions/0014 has more.
//
// A beam search over the nodes in their order: its states say in which layouts the values lie that
// later nodes read. It is exact where the states are fewer than the beam holds.
#pragma once

#include <string>
#include <vector>

#include "tessera/passes/place.h"

namespace tessera {

struct Found {
  std::vector<std::string> shardings;  // per node, in the notation of shard.h
  int64_t bytes = 0;                   // what all ranks receive in a run
  double work = 0;                     // elements of all loops that the busiest rank goes through
  /// What the rank that has most holds: its parts of parameters, and of the results that are alive
  /// at once. An estimate: kernels need more.
  int64_t memory = 0;
};

/// The cheapest first; each needs less memory than those before it. Of equal bytes the one in which
/// the busiest rank has least work comes first. Nodes that are sharded keep what they say;
/// `options` are as for place, and layout_of holds here too. Never empty. Throws as place does.
///
/// Gathering the outputs does not count: every placement that shares the work out needs that. With
/// `counts_outputs` it does, and ranks that have the whole batch all compute all of it.
std::vector<Found> search(const Graph& graph, const PlaceOptions& options,
                          bool counts_outputs = false);

/// A training step to be searched.
struct StepToSearch {
  const Graph* graph = nullptr;       // of all of it; its output is the loss
  size_t forward_nodes = 0;           // the first: up to the loss
  std::vector<ValueId> trained = {};  // parameters
  int states = 0;                     // tensors that the optimizer keeps of each
  /// Sharing the work out costs bytes here, so work has a price: an iteration of a forward loop on
  /// the busiest rank is worth so many bytes that each rank receives.
  double bytes_per_loop = kBytesPerLoop;
  static constexpr double kBytesPerLoop = 0.75;
};
/// The same for a step: shardings of the forward nodes, bytes of the step, memory with gradients,
/// states and what is kept for the backward pass. The cheapest first, by bytes and work.
std::vector<Found> search(const StepToSearch& step, const PlaceOptions& options);

/// Shards the nodes of a graph, which may differ in the number of rows: a node that cannot be split
/// so for other rows, as a reshape may not, follows its operands; so do nodes behind those that
/// were found. Throws kInvalidArgument for a graph of fewer nodes.
void apply(Graph& graph, const Found& found, const MeshPtr& mesh);

/// Shardings by layouts become MindSpore's pieces where these put every part on the same rank: so
/// they can be saved in a strategy file. `mesh`: of the layouts that name none.
void use_pieces(Graph& graph, const MeshPtr& mesh);

/// A mesh of at most two axes for so many ranks, as equal as their prime factors allow.
MeshPtr search_mesh(int ranks);

}  // namespace tessera
