// MindSpore's functions on strategy files, by their names and with their meanings:
//
//   for (const auto& [name, layout] : build_searched_strategy("strategy.ckpt")) ...
//   merge_pipeline_strategys("strategies", "merged.ckpt");
//   const auto kept = remove_param_redundancy(get_parameter_redundancy("strategy.ckpt"));
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tessera/checkpoint/strategy.h"

namespace tessera {

/// How each parameter is cut. Of one that several pipeline stages have, the lowest stage's layout:
/// MindSpore's own dictionary has an entry "<stage>-<name>" for each. Throws kNotFound,
/// kCorruptData for a file that is empty, no strategy or names no parameter.
std::map<std::string, ParameterLayout> build_searched_strategy(
    const std::filesystem::path& strategy_filename);

/// One strategy file from those of the pipeline's stages: all .ckpt or all .json files in the
/// folder. The suffix of `dst_strategy_file` says its form (.txt: layouts.txt). Throws
/// kInvalidArgument for files of both kinds and for stages that are not 0 … k-1, kNotFound for a
/// folder without any.
void merge_pipeline_strategys(const std::filesystem::path& src_strategy_dirs,
                              const std::filesystem::path& dst_strategy_file);

/// The ranks whose checkpoint may stand for that of the rank which wrote this group file. Throws
/// kCorruptData when it lists none.
std::vector<Rank> restore_group_info_list(const std::filesystem::path& group_info_file_name);

/// Per parameter the groups of ranks that hold the same slice, in MindSpore's order, the ranks of a
/// group ascending. With several pipeline stages those of each stage, one stage after the other,
/// as ranks of the whole job; MindSpore counts the ranks of each stage from 0.
using ParameterRedundancy = std::map<std::string, std::vector<std::vector<Rank>>>;

/// Also for nested tensor maps, where MindSpore groups ranks that hold different slices.
ParameterRedundancy get_parameter_redundancy(const std::filesystem::path& strategy_file);
ParameterRedundancy get_parameter_redundancy(const Strategy& strategy);

/// Which parameters each rank keeps when every slice is kept by `keep_redundancy` ranks of its
/// group only. Parameters with equal groups take turns, in the order of their names.
std::map<Rank, std::set<std::string>> remove_param_redundancy(const ParameterRedundancy& redundancy,
                                                              int keep_redundancy = 1);

}  // namespace tessera
