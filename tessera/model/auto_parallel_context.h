// How a network runs on the ranks of a job, in the words of MindSpore's set_auto_parallel_context.
// A plain value that is handed in; there is no global one:
//
//   AutoParallelContext context{.parallel_mode = ParallelMode::kSemiAutoParallel, .device_num = 8};
//   context.set("full_batch", "True");
//   context.set("strategy_ckpt_load_file", "./train_strategy.ckpt");
//   Model model = Model::open(source, run_options(context, world));
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/model/model.h"
#include "tessera/model/train/parallel_optimizer.h"

namespace tessera {

/// hybrid_parallel is refused: it is the user's own collectives.
enum class ParallelMode : uint8_t {
  kStandAlone,        // this process alone
  kDataParallel,      // every rank has all parameters and a part of the rows
  kSemiAutoParallel,  // operators as shard() or the strategy file says, others by rows
  kAutoParallel,      // what moves the fewest bytes in memory_limit; shard() and the strategy file
                      // still hold
};

struct AutoParallelContext {
  ParallelMode parallel_mode = ParallelMode::kStandAlone;
  std::optional<int> device_num = {};   // 1 … 4096; none: as many ranks as run
  std::optional<int> global_rank = {};  // below device_num; none: the rank that asks
  bool full_batch = false;              // every rank gets all of the inputs; else a part of dim 0
  /// The pieces of each input, instead of full_batch: one tuple per input.
  std::vector<std::vector<int>> dataset_strategy = {};
  std::filesystem::path strategy_ckpt_load_file = {};  // its operators are sharded as it says
  /// How the first batch is placed: written by rank 0 before it runs, and by infer_predict_layout.
  std::filesystem::path strategy_ckpt_save_file = {};
  bool only_trainable_params = true;  // moving means and variances are not written there
  int pipeline_stages = 1;
  /// Which scopes are of which stage, instead of Cell.pipeline_stage; see PlaceOptions.stages.
  std::vector<std::vector<std::string>> stage_scopes = {};
  // Of training alone, see train/parallel_training.h; contexts of predictions have the defaults.
  bool gradients_mean = false;
  bool enable_parallel_optimizer = false;
  ParallelOptimizer parallel_optimizer_config = {};
  int grad_accumulation_step = 1;
  /// auto_parallel: what the fewest bytes are counted without, "recursive_programming", or with,
  /// "dynamic_programming": gathering the outputs; see search.h. "sharding_propagation": operators
  /// without a strategy follow their operands.
  std::string search_mode = "recursive_programming";
  /// auto_parallel: bytes that a rank may hold, as explain counts them; 0: no limit. MindSpore's
  /// key is set_context's max_device_memory.
  int64_t memory_limit = 0;

  /// Sets what MindSpore calls `key` from its text as Python prints it, without quotes: "True",
  /// "8", "((1,1),(8,1))"; strategy_ckpt_config is JSON. Keys that cannot matter here take their
  /// default only. Throws kInvalidArgument for a value that cannot be, kUnsupported for
  /// a key or value that is refused, with the reason, kNotFound for an unknown key, with the
  /// nearest.
  void set(std::string_view key, std::string_view text);
};

/// What the values say of each other. Throws kInvalidArgument naming both, and kUnsupported for
/// what is of training, but with `trains`.
void validate(const AutoParallelContext& context, bool trains = false);

/// The ranks of the job: device_num, or 1.
int rank_count(const AutoParallelContext& context);

/// The context as options of a model that all ranks of `world` open. Reads
/// strategy_ckpt_load_file. Throws as validate does, kInvalidArgument where the world has another
/// number of ranks or this is another rank, and what read_strategy throws. `world` must outlive
/// the model. `trains`: for training_run_options, which knows the rest.
RunOptions run_options(const AutoParallelContext& context, Communicator& world,
                       bool trains = false);
/// The same for looking at placements: it has no world.
RunOptions run_options(const AutoParallelContext& context, bool trains = false);

/// How many batches to have ready, for MindSpore's dataset_sink_mode: sinking sends `sink_size`
/// batches ahead (-1: as many as are useful), without it each is read when it is wanted. Throws
/// kInvalidArgument for a sink_size of 0 or below -1.
int prefetch_batches(bool dataset_sink_mode, int64_t sink_size = -1);

/// MindSpore's set_context: applies `key` to the options. "mode" is GRAPH_MODE (0), "device_target"
/// CPU, "device_id" 0; "runtime_num_threads" and "deterministic" (ON, OFF) have their meaning.
/// Throws as AutoParallelContext::set does.
void set_context(RunOptions& options, std::string_view key, std::string_view text);

}  // namespace tessera
