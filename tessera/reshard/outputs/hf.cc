// The folder that Hugging Face's libraries write and read: model.safetensors, or several files
// model-00001-of-0000N.safetensors of at most 5 GB and model.safetensors.index.json.
#include "tessera/reshard/outputs/internal/whole_files.h"

namespace tessera {
namespace {

constexpr uint64_t kShard = 5'000'000'000;

class HuggingFace : public OutputFormat {
 public:
  std::string_view name() const override { return "hf"; }
  std::string_view doc() const override {
    return "Hugging Face: whole tensors in model-<k>-of-<n>.safetensors, and their index";
  }
  std::string_view suffix() const override { return ".safetensors"; }
  bool is_whole() const override { return true; }

  OutputSet lay_out(const OutputRequest& request) const override {
    std::vector<std::vector<Holding>> shards =
        internal::filled_parts(request, internal::whole_tensors(request), kShard);
    // The readers refuse a file whose metadata names none of the programs they know.
    const std::map<std::string, std::string> metadata{{"format", "pt"}};
    OutputSet set;
    if (shards.size() == 1) {
      set.files.push_back({"model.safetensors", 0, std::move(shards[0]), metadata});
      return set;
    }
    std::vector<internal::NamedPart> parts;
    for (auto& entries : shards) {
      std::string name =
          fmt::format("model-{:05}-of-{:05}.safetensors", parts.size() + 1, shards.size());
      set.files.push_back({name, 0, entries, metadata});
      parts.push_back({std::move(name), std::move(entries)});
    }
    set.texts.push_back(
        {"model.safetensors.index.json", internal::index_json(request, parts, 2, true) + "\n"});
    return set;
  }
};

}  // namespace

const OutputFormat& output_hf() {
  static const HuggingFace output;
  return output;
}

}  // namespace tessera
