// MindSpore's functions that write the checkpoint of M ranks for N others, by their names and with
// their meanings. An empty strategy file stands for None: whole tensors on one rank (or, for a
// source folder that Tessera wrote, what its manifest says).
//
//   transform_checkpoints("src", "dst", "net", {.src_strategy_file = "train.ckpt"});
//
//   for (Rank rank = 0; rank < 4; ++rank) {          // on machines that have some files only
//     const std::vector<Rank> wanted = rank_list_for_transform(rank, "train.ckpt", "predict.ckpt");
//     transform_checkpoint_by_rank(rank, files_of(wanted), out_of(rank), strategies);
//   }
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tessera/checkpoint/checkpoint.h"
#include "tessera/reshard/reshard.h"

namespace tessera {

struct TransformOptions {
  std::filesystem::path src_strategy_file = {};
  std::filesystem::path dst_strategy_file = {};
  std::string output_format = {};  // "ckpt", "safetensors"; "": ckpt, or what the suffix says
  int process_num = 0;             // threads of this process; 0: all processors
  bool force = false;              // replaces an earlier result; MindSpore always does
  bool verify = false;             // reads the result back and compares digests
  bool sync = true;                // as ReshardOptions::sync
  ReplicaCheck replicas = ReplicaCheck::kReadFiles;
  std::string pick = {};  // of several files of a rank, the one with this name (a pattern)
  /// Names that may be missing and what open_source accepts: see OpenOptions and FindOptions.
  std::vector<std::string> allow = {};
  std::string dec_key = {};
};

/// The ranks of the source whose files `rank` of the destination needs, descending. It is exact:
/// MindSpore lists all ranks that take part in its redistribution, of which these are some.
std::vector<Rank> rank_list_for_transform(Rank rank,
                                          const std::filesystem::path& src_strategy_file = {},
                                          const std::filesystem::path& dst_strategy_file = {});

/// Writes the file of one rank of the destination from the files of some ranks of the source. Needs
/// those of rank_list_for_transform; further ones are compared where they hold replicas. Throws
/// kNotFound naming the ranges that no file holds.
ReshardReport transform_checkpoint_by_rank(
    Rank rank, const std::map<Rank, std::filesystem::path>& checkpoint_files_map,
    const std::filesystem::path& save_checkpoint_file_name, const TransformOptions& options = {});

/// Writes dst/rank_<r>/<prefix><r>.<format> for every rank of the destination. The source has
/// folders rank_<i> with one checkpoint each. The result appears when it is complete.
ReshardReport transform_checkpoints(const std::filesystem::path& src_checkpoints_dir,
                                    const std::filesystem::path& dst_checkpoints_dir,
                                    const std::string& ckpt_prefix,
                                    const TransformOptions& options = {});

struct UnifyOptions {
  std::string file_suffix = {};  // of the names of the source's files, before ".safetensors"
  int max_process_num = 0;       // threads; 0: all processors
  /// The name to save a tensor under, or nothing to leave it out; empty: all as they are.
  std::function<std::optional<std::string>(const std::string& name)> choice_func = {};
  bool force = false;
  bool verify = false;
  bool sync = true;
  std::vector<std::string> allow = {};
};

/// Writes whole tensors as part<k>.safetensors with param_name_map.json, and what the strategy does
/// not name as hyper_param.safetensors. Gradient accumulators (accu_grads…) are left out, as
/// MindSpore does. Files from which replicas were removed (merge_with_redundancy=False) need no
/// option: a replica that is missing is taken from another rank.
ReshardReport unified_safetensors(const std::filesystem::path& src_dir,
                                  const std::filesystem::path& src_strategy_file,
                                  const std::filesystem::path& dst_dir,
                                  const UnifyOptions& options = {});

}  // namespace tessera
