// MindSpore's .ckpt, one file per rank: rank_<i>/<prefix><i>.ckpt.
#include "tessera/reshard/outputs/internal/rank_files.h"

namespace tessera {
namespace {

class Ckpt : public OutputFormat {
 public:
  std::string_view name() const override { return "ckpt"; }
  std::string_view doc() const override {
    return "one MindSpore .ckpt per rank, in folders rank_<i>";
  }
  std::string_view suffix() const override { return ".ckpt"; }
  OutputSet lay_out(const OutputRequest& request) const override {
    return internal::one_file_per_rank(request, suffix());
  }
};

}  // namespace

const OutputFormat& output_ckpt() {
  static const Ckpt output;
  return output;
}

}  // namespace tessera
