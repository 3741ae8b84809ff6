// MindSpore's functions on parameter dictionaries, by their names and with their meanings:
//
//   ParameterMap parameters = load_checkpoint("lenet.ckpt");
//   NotLoaded rest = load_param_into_net(net, parameters);
//   save_checkpoint(parameters, "copy.ckpt", {.append_dict = {{"epoch_num", int64_t{90}}}});
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tessera/checkpoint/names.h"
#include "tessera/model/model.h"

namespace tessera {

/// What a checkpoint holds, in file order: tensors, and strings of append_dict.
struct ParameterMap {
  using Value = std::variant<Tensor, std::string>;
  std::vector<std::pair<std::string, Value>> entries;

  /// The tensor called `name`, or null.
  const Tensor* find(std::string_view name) const;
};

/// MindSpore's arguments of the same names. Map tensors are refused unless filtered out.
struct LoadCheckpointOptions {
  NameFilter filter = {};  // filter_prefix, specify_prefix, choice_func
  std::string dec_key = {};
  std::string dec_mode = {};  // "": what the file says
  bool crc_check = false;
  std::vector<std::string> allow = {};  // deviations; see OpenOptions
};

/// Reads all tensors of a .ckpt or safetensors file. Throws as open_checkpoint and select do.
ParameterMap load_checkpoint(const std::filesystem::path& path,
                             const LoadCheckpointOptions& options = {});

/// All of a checkpoint that is open, load_segmented_checkpoints' for example.
ParameterMap read_parameters(const Checkpoint& checkpoint);

/// What MindSpore returns since 2.0: names of the network that nothing filled, and names of the map
/// that filled nothing by exact match.
struct NotLoaded {
  std::vector<std::string> param_not_load;
  std::vector<std::string> ckpt_not_load;
};

/// Fills the network's parameters. Missing ones are returned, not an error, as in MindSpore.
/// Without `strict_load` names match by a shared prefix and dtypes convert inside their group; with
/// it they must be equal. Throws kInvalidArgument for shapes or dtypes that do not fit.
NotLoaded load_param_into_net(Model& net, const ParameterMap& parameters, bool strict_load = false);

struct SaveCheckpointOptions {
  std::vector<std::pair<std::string, std::variant<bool, int64_t, double, std::string>>>
      append_dict = {};
  std::string enc_key = {};
  std::string enc_mode = "AES-GCM";
  bool crc_check = false;
};

/// Writes a .ckpt or safetensors file by its suffix: complete, or not at all.
void save_checkpoint(const ParameterMap& parameters, const std::filesystem::path& path,
                     const SaveCheckpointOptions& options = {});
/// The parameters of a network.
void save_checkpoint(const Model& net, const std::filesystem::path& path,
                     const SaveCheckpointOptions& options = {});

}  // namespace tessera
