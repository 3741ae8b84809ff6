#include "tessera/model/train/parallel_training.h"

namespace tessera {
namespace {

bool is_data_parallel(const AutoParallelContext& context) {
  return context.parallel_mode == ParallelMode::kDataParallel;
}

RunOptions with_training(RunOptions run, const AutoParallelContext& context,
                         const TrainOptions& options) {
  std::vector<std::vector<int>>& pieces = run.place.input_pieces;
  if (pieces.size() > 1) {
    require(pieces.size() == 2 && !pieces[0].empty() && !pieces[1].empty() &&
                pieces[0][0] == pieces[1][0],
            "dataset_strategy has {} tuples; wanted one of the rows and one of their labels that "
            "cuts them alike",
            pieces.size());
    pieces.resize(1);
  }
  if (run.search) {
    run.search->training = std::make_shared<const TrainRecipe>(recipe_of(options));
    run.search->as_pieces = !context.strategy_ckpt_save_file.empty();
  }
  // In data_parallel MindSpore leaves parameters whole.
  if (context.enable_parallel_optimizer && !is_data_parallel(context))
    run.place.cut_further = further_cuts(context.parallel_optimizer_config);
  return run;
}

}  // namespace

TrainOptions train_options(const AutoParallelContext& context, TrainOptions options) {
  validate(context, true);
  if (is_data_parallel(context)) {
    options.sum_gradients = !context.gradients_mean;
    options.statistics_per_rank = true;
  }
  if (context.grad_accumulation_step > 1) options.accumulate = context.grad_accumulation_step;
  if (context.enable_parallel_optimizer) {
    options.shard_optimizer = true;
    options.parallel_optimizer = context.parallel_optimizer_config;
  }
  return options;
}

RunOptions training_run_options(const AutoParallelContext& context, Communicator& world,
                                const TrainOptions& options) {
  return with_training(run_options(context, world, true), context, options);
}

RunOptions training_run_options(const AutoParallelContext& context, const TrainOptions& options) {
  return with_training(run_options(context, true), context, options);
}

}  // namespace tessera
