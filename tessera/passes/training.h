// Makes of a graph that computes predictions one that training computes: batch norm with the
// statistics of the batch, which also move the kept ones, and dropout that drops.
//
//   Graph network = to_training(trace(model, 32, {3,32,32}), {.seed = 1});
//   ... the loss, add_gradients, the optimizer's updates
#pragma once

#include "tessera/graph/graph.h"

namespace tessera {

struct TrainingOptions {
  /// What dropout draws from, with the input "step".
  int64_t seed = 0;
  /// moving = momentum * moving + (1 - momentum) * statistic, after every run.
  double momentum = 0.9;
  /// Batch norm takes statistics over each of so many equal parts of the batch: 1 is all of it,
  /// whatever ranks compute it. As many as there are ranks is MindSpore's data_parallel, where
  /// every rank knows its own rows only; what moves is then their mean.
  int64_t statistics_groups = 1;
  /// bf16 or f16: what convolutions, dense layers and matrix products read, and what they give, is
  /// rounded to it (round_to), and so are its gradients. They add up in f32, all else stays f32:
  /// parameters, norms, the loss.
  DType products = DType::kF32;
};

/// Every batch_norm becomes batch_mean, batch_variance and batch_norm_train with updates of its
/// moving mean and variance (the unbiased one), every dropout that drops something dropout_train
/// with the input "step", an i64 scalar, which is added where it is needed. All else stays but what
/// `products` asks for. Throws
/// kInvalidArgument where a batch is no `statistics_groups` equal parts, or where the statistics of
/// a batch norm are no parameters of its own.
Graph to_training(const Graph& network, const TrainingOptions& options = {});

}  // namespace tessera
