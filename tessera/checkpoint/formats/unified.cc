// param_name_map.json: MindSpore's unified safetensors, whole tensors in several files of a folder.
//
//   {"metadata":{"total_size":26304},"weight_map":{"net.bias":"part0.safetensors",…}}
//
// The map may stand alone, without "weight_map" around it. hyper_param.safetensors beside it, where
// there is one, holds tensors that the map does not list. See docs/formats/safetensors.md.
#include "tessera/base/error.h"
#include "tessera/checkpoint/formats/internal/shard_files.h"

namespace tessera {
namespace {

constexpr std::string_view kHyperParameters = "hyper_param.safetensors";

class Unified : public CheckpointFormat {
 public:
  std::string_view name() const override { return "unified safetensors"; }
  std::string_view suffix() const override { return "param_name_map.json"; }
  bool recognizes(const Probe& probe) const override {
    return probe.path.filename() == suffix() && internal::begins_like_object(probe.head);
  }

  Checkpoint open(std::shared_ptr<const RandomAccessFile> file, const Probe& probe,
                  const OpenOptions& options) const override {
    const Json root = internal::read_index(*file);
    const Json* nested = root.find("weight_map");
    const bool is_nested = nested != nullptr && nested->is_object();
    const internal::WeightMap map = internal::read_weight_map(is_nested ? *nested : root);
    const std::filesystem::path folder = probe.path.parent_path();
    std::vector<std::string> more;
    if (options.file_system().exists(folder / kHyperParameters))
      more.emplace_back(kHyperParameters);
    for (const auto& [name, shard] : map)
      if (shard == kHyperParameters) more.clear();  // the map lists these too
    require_valid(!map.empty() || !more.empty(), "the map lists no tensor");
    return internal::open_weight_map(map, folder, more, options);
  }
};

}  // namespace

const CheckpointFormat& format_unified() {
  static const Unified format;
  return format;
}

}  // namespace tessera
