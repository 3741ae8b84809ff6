// What the formats share that are an index over safetensors files of one folder.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/checkpoint/format.h"
#include "tessera/io/json.h"

namespace tessera::internal {

/// Checkpoints as one: their files, records, metadata and notes one after the other.
class JoinedCheckpoint {
 public:
  /// Takes everything of `one`.
  void add(Checkpoint one);
  /// The same without its records.
  void add_file(Checkpoint&& one);
  int file_count() const { return static_cast<int>(catalog_.files.size()); }
  Catalog& catalog() { return catalog_; }
  Checkpoint take();

 private:
  Catalog catalog_;
  std::vector<std::shared_ptr<const RandomAccessFile>> sources_;
};

/// The index's text as a tree. Throws kInvalidArgument when it is too large.
Json read_index(const RandomAccessFile& file);
/// Whether the content begins as an object.
bool begins_like_object(std::string_view head);

/// Checks that an index puts `tensor` into a .safetensors file of its own folder: a plain name.
/// Throws kCorruptData.
void check_shard_name(std::string_view shard, std::string_view tensor);
/// Opens a shard, whatever its content looks like, as safetensors: an index never names another.
Checkpoint open_shard(const std::filesystem::path& path, const OpenOptions& options);

/// The file of every tensor.
using WeightMap = std::map<std::string, std::string>;
WeightMap read_weight_map(const Json& members);
/// The files of a map that lie in `folder`, which hold the tensors that it says and no others, and
/// then `more` files, whose tensors are in no map.
Checkpoint open_weight_map(const WeightMap& map, const std::filesystem::path& folder,
                           const std::vector<std::string>& more, const OpenOptions& options);

}  // namespace tessera::internal
