// A training run in the words of MindSpore's set_auto_parallel_context:
//
//   AutoParallelContext context{.parallel_mode = ParallelMode::kSemiAutoParallel};
//   context.set("enable_parallel_optimizer", "True");
//   const TrainOptions options = train_options(context, {.optimizer = "adam"});
//   Model model = Model::open(source, training_run_options(context, world, options));
//   Trainer trainer(model, options);
//
// In data_parallel a step is made with the sum of the gradients of the ranks' own losses, with
// gradients_mean with their mean; batch norm is over each rank's rows; the parallel optimizer cuts
// what the optimizer keeps. In semi_auto_parallel and auto_parallel loss and batch norm are over
// the batch of all ranks, and the parallel optimizer cuts parameters as well.
#pragma once

#include "tessera/model/auto_parallel_context.h"
#include "tessera/model/train/trainer.h"

namespace tessera {

/// `options` with what the context says of training: gradients_mean, grad_accumulation_step, where
/// that is above 1, the parallel optimizer, and batch norm's statistics. Throws as validate does.
TrainOptions train_options(const AutoParallelContext& context, TrainOptions options = {});

/// run_options of a model that is opened to be trained so: auto_parallel looks for the placement of
/// a training step, parameters are kept as the parallel optimizer cuts them. A second tuple of
/// dataset_strategy is that of labels, which are cut as rows are. Throws as run_options does.
RunOptions training_run_options(const AutoParallelContext& context, Communicator& world,
                                const TrainOptions& options);
/// The same for looking at placements: it has no world.
RunOptions training_run_options(const AutoParallelContext& context, const TrainOptions& options);

}  // namespace tessera
