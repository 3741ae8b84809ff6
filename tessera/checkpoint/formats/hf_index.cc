// model.safetensors.index.json: one checkpoint in several safetensors files of one folder.
//
//   {"metadata":{"total_size":…},"weight_map":{"fc.bias":"model-00001-of-00002.safetensors",…}}
//
// Every name must be in the file that the map says, and every tensor of these files in the map.
#include <algorithm>
#include <map>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/format.h"
#include "tessera/io/json.h"

namespace tessera {
namespace {

constexpr uint64_t kLongestIndex = 100'000'000;

/// The file of every name. File names must be plain: an index must not lead out of its folder.
std::map<std::string, std::string> read_weight_map(const RandomAccessFile& file) {
  require(file.size() <= kLongestIndex, "the index has {}, more than {}", human_bytes(file.size()),
          human_bytes(kLongestIndex));
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  std::map<std::string, std::string> map;
  const Json root = parse_json(text, {kLongestIndex, 16});
  for (const auto& [name, value] : root.at("weight_map").members()) {
    const std::string& shard = value.as_string();
    require_valid(!shard.empty() && shard.find_first_of("/\\") == std::string::npos &&
                      shard.ends_with(".safetensors") && shard.find('\0') == std::string::npos,
                  "the index puts '{}' into '{}', which is no .safetensors file name",
                  printable(name), printable(shard));
    map.emplace(name, shard);
  }
  return map;
}

class HfIndex : public CheckpointFormat {
 public:
  std::string_view name() const override { return "safetensors index"; }
  std::string_view suffix() const override { return ".safetensors.index.json"; }
  bool recognizes(const Probe& probe) const override {
    const size_t first = probe.head.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || probe.head[first] != '{') return false;
    return probe.path.string().ends_with(suffix()) ||
           probe.head.find("\"weight_map\"") != std::string::npos;
  }

  Checkpoint open(std::shared_ptr<const RandomAccessFile> file, const Probe& probe,
                  const OpenOptions& options) const override {
    const std::map<std::string, std::string> map = read_weight_map(*file);
    std::vector<std::filesystem::path> shards;
    for (const auto& [name, shard] : map) {
      const std::filesystem::path path = probe.path.parent_path() / shard;
      if (std::find(shards.begin(), shards.end(), path) == shards.end()) shards.push_back(path);
    }
    require_valid(!shards.empty(), "the index lists no tensor");
    Checkpoint checkpoint = open_checkpoint(shards, options);
    const Catalog& catalog = checkpoint.catalog;
    for (const auto& [name, shard] : map) {
      const Record* record = catalog.find(name);
      require_valid(record != nullptr, "the index lists '{}' in {}, which lacks it",
                    printable(name), printable(shard));
      if (record->pieces.empty()) continue;
      const auto& path = catalog.files[static_cast<size_t>(record->pieces[0].file)].path;
      require_valid(path.filename() == shard, "the index lists '{}' in {} but {} holds it",
                    printable(name), printable(shard), printable(path.string()));
    }
    for (const Record& record : catalog.records)
      require_valid(map.contains(record.name), "'{}' is in a file but not in the index",
                    printable(record.name));
    return checkpoint;
  }
};

}  // namespace

const CheckpointFormat& format_hf_index() {
  static const HfIndex format;
  return format;
}

}  // namespace tessera
