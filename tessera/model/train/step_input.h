// What the program of a training step reads of a batch: an input per micro-batch, of many ranks
// this one's part of it.
//
//   Pipeline mine = rows_for(rows, inputs, rank, 4);      // only what this rank's inputs hold
//   Tensor third = piece_of(inputs[2], batch.data, batch, 4);
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/data/pipeline.h"
#include "tessera/passes/place.h"
#include "tessera/train/train_graph.h"

namespace tessera::internal {

struct StepInput {
  std::string name;  // of the graph: "x@2"
  std::string of;    // "x"
  int micro_batch = 0;
  TensorType type;     // what is here of it
  Layout layout = {};  // of many ranks

  bool has_rows() const { return !type.global.empty(); }
};

/// The inputs of `local`, which is what one rank runs of the step; `placed`: null alone.
std::vector<StepInput> inputs_of(const TrainGraph& step, const Graph& local, const Placed* placed);

/// The rows that the rank reads: its part of every micro-batch, none where it has no input; all of
/// them where its inputs hold different parts or are cut along other dims.
Pipeline rows_for(const Pipeline& rows, std::span<const StepInput> inputs, Rank rank,
                  int micro_batches);

/// An input, of the data or labels of a batch as rows_for reads it.
Tensor piece_of(const StepInput& input, const Tensor& rows, const Batch& batch, int micro_batches);

/// Throws kInvalidArgument where batches are no such micro-batches.
void check_micro_batches(const Pipeline& rows, int micro_batches);

/// Throws kInvalidArgument where micro-batches are no so many equal parts, of which each has batch
/// norm's statistics of its own.
void check_groups(const Pipeline& rows, int64_t groups, int micro_batches);

/// Throws kInvalidArgument for a label of the batch, which `rows` gave, that is none of so many
/// classes.
void check_labels(const Pipeline& rows, const Batch& batch, int64_t classes);

}  // namespace tessera::internal
