// MindSpore's unified safetensors: whole tensors in part<k>.safetensors, what the source's strategy
// does not name in hyper_param.safetensors, and param_name_map.json, which lists the parts.
//
// There are as many parts as hold 3 GiB each on average, at most one per tensor; the largest
// tensors go first, each into the part that is smallest so far.
#include "tessera/reshard/outputs/internal/whole_files.h"

namespace tessera {
namespace {

constexpr uint64_t kPart = uint64_t{3} << 30;

class Unified : public OutputFormat {
 public:
  std::string_view name() const override { return "unified"; }
  std::string_view doc() const override {
    return "MindSpore's unified safetensors: whole tensors in parts, and param_name_map.json";
  }
  std::string_view suffix() const override { return ".safetensors"; }
  bool is_whole() const override { return true; }

  OutputSet lay_out(const OutputRequest& request) const override {
    std::vector<Holding> named;
    std::vector<Holding> unnamed;
    for (const Holding& entry : internal::whole_tensors(request))
      (request.unnamed.contains(entry.record) ? unnamed : named).push_back(entry);
    OutputSet set;
    std::vector<internal::NamedPart> parts;
    if (!named.empty()) {
      for (auto& entries : internal::balanced_parts(request, std::move(named), kPart)) {
        parts.push_back({fmt::format("part{}.safetensors", parts.size()), std::move(entries)});
        set.files.push_back({parts.back().name, 0, parts.back().entries, {}});
      }
    }
    if (!unnamed.empty())
      set.files.push_back({"hyper_param.safetensors", 0, std::move(unnamed), {}});
    set.texts.push_back({"param_name_map.json", internal::index_json(request, parts, 4, false)});
    return set;
  }
};

}  // namespace

const OutputFormat& output_unified() {
  static const Unified output;
  return output;
}

}  // namespace tessera
