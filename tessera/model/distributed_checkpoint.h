// MindSpore's functions that load a checkpoint which many ranks saved, by their names and with
// their meanings; strategy_files.h and transform_checkpoints.h have the others.
//
//   ParameterMap whole = load_distributed_checkpoint(files, "train_strategy.ckpt");
//   ParameterMap mine = load_distributed_checkpoint(
//       files, "train_strategy.ckpt", {{"fc.weight", {{4}, {{0}, {-1}}}}}, {.rank = 3});
//
// Strict, where MindSpore only warns: what is missing is an error unless it is allowed by name.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/convert.h"
#include "tessera/model/auto_parallel_context.h"
#include "tessera/model/parameters.h"
#include "tessera/model/strategy_files.h"
#include "tessera/model/transform_checkpoints.h"

namespace tessera {

struct SlicedParameter {
  std::string name;
  Tensor tensor;
};

/// The whole parameter from the slices of all ranks, in their order: joined along dim 0 without a
/// strategy, else as the layout of its name says (rows listed by param_split_shape, fields
/// interleaved). Throws kInvalidArgument for names, dims or dtypes that differ, too few or too many
/// slices, kNotFound for a name that the strategy lacks, kCorruptData for shapes that contradict
/// the layout and for replicas that differ.
SlicedParameter merge_sliced_parameter(
    std::span<const SlicedParameter> sliced_parameters,
    const std::map<std::string, ParameterLayout>* strategy = nullptr);

/// How a parameter is to lie, as Model.infer_predict_layout says it.
struct PredictLayout {
  std::vector<int> device_matrix;
  /// Per dim the device dims that split it, counted from the right, major first; {} or {-1}: none.
  std::vector<std::vector<int>> tensor_map;
  Shape slice_shape = {};  // of a rank's slice; checked where it is given
  int field = 0;           // must be 0
};
using PredictStrategy = std::map<std::string, PredictLayout>;

struct LoadDistributedOptions {
  Rank rank = 0;  // of the predict layout's ranks
  /// Names, patterns too, that may be missing: of the predict layout or the network in the files,
  /// or of the train strategy in the predict layout, which leaves them out. Further what
  /// open_source and find_rank_files accept.
  std::vector<std::string> allow = {};
  std::string dec_key = {};
  std::string dec_mode = {};  // "": what the file says
  int threads = 0;            // 0: all processors
  ReplicaCheck replicas = ReplicaCheck::kReadFiles;
  bool strict_load = false;                   // see load_param_into_net
  std::vector<std::string>* notes = nullptr;  // gets what MindSpore would warn of
};

/// What the rank holds of every parameter, in the order of the files. `checkpoint_filenames` are in
/// the order of the ranks (or one folder: rank_<i> folders, MindSpore's unified safetensors).
/// Without a train strategy every file holds whole tensors; without a predict layout the result is
/// the whole. Reads only what the rank needs. Throws kInvalidArgument, kNotFound with the ranges or
/// nearest names, kCorruptData for files that contradict the strategy.
ParameterMap load_distributed_checkpoint(
    std::span<const std::filesystem::path> checkpoint_filenames,
    const std::filesystem::path& train_strategy_filename = {},
    const PredictStrategy& predict_strategy = {}, const LoadDistributedOptions& options = {});

/// The same into a network, as load_param_into_net does it; reads only what the network needs. A
/// parameter of the network that nothing fills is an error unless allowed; then nothing changed.
/// Into a network that runs on several ranks all of them load together: each gets what it holds,
/// where the files lie on one machine or each rank sees some, and every byte is read once. The
/// predict layouts given must then be those by which the network was placed.
NotLoaded load_distributed_checkpoint(Model& net,
                                      std::span<const std::filesystem::path> checkpoint_filenames,
                                      const std::filesystem::path& train_strategy_filename = {},
                                      const PredictStrategy& predict_strategy = {},
                                      const LoadDistributedOptions& options = {});

/// The same with the train strategy of the context: its strategy_ckpt_load_file.
NotLoaded load_distributed_checkpoint(Model& net,
                                      std::span<const std::filesystem::path> checkpoint_filenames,
                                      const PredictStrategy& predict_strategy,
                                      const AutoParallelContext& context,
                                      const LoadDistributedOptions& options = {});

}  // namespace tessera
