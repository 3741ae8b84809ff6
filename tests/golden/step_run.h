// Training by the graph of one step alone, so that the very same step can be computed in float64.
//
//   StepRun run(lenet, made_parameters(lenet, 3), recipe, {.reference_only = true}, DType::kF64);
//   std::vector<double> losses = run.losses(rows.limit(30 * 32));
#pragma once

#include <vector>

#include "tessera/data/pipeline.h"
#include "tessera/runtime/program.h"
#include "tessera/train/train_graph.h"

namespace tessera::testing {

class StepRun {
 public:
  /// `network` has one input, the rows of a batch, and one output; `weights` are its parameters.
  /// With `width` kF64 every float32 of the step is a float64.
  StepRun(const Graph& network, const std::vector<Tensor>& weights, TrainRecipe recipe,
          const CompileOptions& options, DType width = DType::kF32);

  /// Of every batch that `rows` gives.
  std::vector<double> losses(Pipeline rows);

 private:
  std::vector<Tensor> first_parameters(const Graph& network,
                                       const std::vector<Tensor>& weights) const;
  Tensor input(const std::string& name, const Batch& batch);

  TrainRecipe recipe_;
  DType width_;
  TrainGraph step_;
  Program program_;
  std::vector<double> powers_;
  int64_t made_ = 0;
};

}  // namespace tessera::testing
