// safetensors, one file per rank: rank_<i>/<prefix><i>.safetensors.
#include "tessera/reshard/outputs/internal/rank_files.h"

namespace tessera {
namespace {

class Safetensors : public OutputFormat {
 public:
  std::string_view name() const override { return "safetensors"; }
  std::string_view doc() const override {
    return "one .safetensors file per rank, in folders rank_<i>";
  }
  std::string_view suffix() const override { return ".safetensors"; }
  OutputSet lay_out(const OutputRequest& request) const override {
    return internal::one_file_per_rank(request, suffix());
  }
};

}  // namespace

const OutputFormat& output_safetensors() {
  static const Safetensors output;
  return output;
}

}  // namespace tessera
