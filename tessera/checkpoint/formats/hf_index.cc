// model.safetensors.index.json: one checkpoint in several safetensors files of one folder.
//
//   {"metadata":{"total_size":…},"weight_map":{"fc.bias":"model-00001-of-00002.safetensors",…}}
//
// Every name must be in the file that the map says, and every tensor of these files in the map.
#include "tessera/base/error.h"
#include "tessera/checkpoint/formats/internal/shard_files.h"

namespace tessera {
namespace {

class HfIndex : public CheckpointFormat {
 public:
  std::string_view name() const override { return "safetensors index"; }
  std::string_view suffix() const override { return ".safetensors.index.json"; }
  bool recognizes(const Probe& probe) const override {
    if (!internal::begins_like_object(probe.head)) return false;
    const std::string name = probe.path.filename().string();
    if (name == "param_name_map.json" || name == "metadata.json") return false;
    return name.ends_with(suffix()) || probe.head.find("\"weight_map\"") != std::string::npos;
  }

  Checkpoint open(std::shared_ptr<const RandomAccessFile> file, const Probe& probe,
                  const OpenOptions& options) const override {
    const internal::WeightMap map =
        internal::read_weight_map(internal::read_index(*file).at("weight_map"));
    require_valid(!map.empty(), "the index lists no tensor");
    return internal::open_weight_map(map, probe.path.parent_path(), {}, options);
  }
};

}  // namespace

const CheckpointFormat& format_hf_index() {
  static const HfIndex format;
  return format;
}

}  // namespace tessera
