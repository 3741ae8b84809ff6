// Which file belongs to which rank of a distributed checkpoint. MindSpore's folders, a pattern or a
// list:
//
//   ckpt/            with rank_0/net.ckpt, rank_1/net.ckpt, …
//   'ckpt/net_*.ckpt'
//   net_0.ckpt net_1.ckpt …       in the order of the ranks
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tessera/io/file.h"
#include "tessera/tensor/rank.h"

namespace tessera {

struct RankFile {
  Rank rank = 0;
  std::filesystem::path path;  // of a file, or of the folder of one checkpoint
  bool operator==(const RankFile&) const = default;
};

struct FindOptions {
  std::string pick;         // of several files of one rank, the one whose name matches this pattern
  bool offers_pick = true;  // who asks has `pick`: messages advise it
  /// "rank_order" and "mixed_steps" accept what the names of the files contradict.
  std::vector<std::string> allow;
  const FileSystem* files = nullptr;  // null: local_file_system()
  /// What is listed need not be there, and nothing need be found: other ranks may see it.
  bool may_be_absent = false;
};

/// The files by rank, ascending. A single folder without rank folders, or a single file, is one
/// checkpoint of rank 0. Throws kNotFound when there is none, kInvalidArgument for two files of one
/// rank (listing them), for a list in another order than the names say, and for steps that differ.
std::vector<RankFile> find_rank_files(std::span<const std::string> sources,
                                      const FindOptions& options = {});

/// The number after "rank_" in the path's last folders or in its name, or -1.
Rank rank_in_path(const std::filesystem::path& path);

}  // namespace tessera
