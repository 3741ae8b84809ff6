// A training step over several micro-batches: the nodes of one are there once for each, their
// gradients and losses are summed up, and what one moves, such as batch norm's statistics, the next
// one reads: as if each were a batch whose gradients are accumulated.
//
// Over pipeline stages they stand in the order 1F1B, in which a stage goes back as soon as it can,
// so that stage s of S keeps what S - s micro-batches have computed, however many there are:
//
//   tick      0  1  2  3  4  5  6  7  8  9
//   stage 0   F0 F1 .  B0 F2 B1 F3 B2 .  B3     (S = 2, 4 micro-batches)
//   stage 1   .  F0 B0 F1 B1 F2 B2 F3 B3 .
#pragma once

#include <string>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera {

/// What a stage does in a tick.
struct PipelineUnit {
  int tick = 0;
  int stage = 0;
  int micro_batch = 0;
  bool is_backward = false;
  bool operator==(const PipelineUnit&) const = default;
};

/// All units, by tick, then by stage; a unit reads only what earlier ticks have made.
std::vector<PipelineUnit> one_forward_one_backward(int stages, int micro_batches);

/// The forward and backward pass of one micro-batch.
struct OneMicroBatch {
  Graph graph;
  ValueId loss = -1;
  std::vector<ValueId> gradients;
  std::vector<std::string> shared_inputs = {};  // that all micro-batches read
  size_t network_nodes = 0;                     // the first of the graph: the network's own
  size_t forward_nodes = 0;                     // these, and the loss
  std::vector<int> stages;                      // per node
};

/// An input of one micro-batch.
struct MicroInput {
  std::string name;  // "x@2" of the third
  std::string of;    // "x"
  int micro_batch = 0;
};

struct MicroBatches {
  Graph graph;                     // its output is the mean of the losses
  std::vector<ValueId> gradients;  // the means
  std::vector<MicroInput> inputs;
  std::vector<bool> network;  // per node: the network's own
  std::vector<int> stages;    // per node
  std::vector<size_t> ticks;  // the nodes at which ticks begin; none of one stage
};

/// Values are called "NAME@I" in micro-batch I; the only one keeps its names.
MicroBatches repeat(const OneMicroBatch& one, int micro_batches);

/// The stages of nodes behind these: a node that reads a parameter is of the parameter's stage, any
/// other of that of its largest operand, and of equal ones of the last.
/// `of_parameters`: per value of the graph, -1 for what is no parameter.
void complete_stages(std::vector<int>& stages, const Graph& graph,
                     const std::vector<int>& of_parameters);

}  // namespace tessera
