#include "tessera/checkpoint/unrecognized.h"

#include <algorithm>

#include "tessera/base/text.h"
#include "tessera/checkpoint/strategy.h"

namespace tessera {
namespace {

struct Magic {
  std::string_view bytes;
  std::string_view message;
};

constexpr std::string_view kZip("PK\x03\x04", 4);
constexpr Magic kMagics[] = {
    {kZip,
     "this is a zip archive, as PyTorch (.pt, .pth, .bin) and numpy (.npz) write them; save the "
     "weights as .safetensors with the program that made it"},
    {std::string_view("\x80\x02", 2),
     "this is a Python pickle, as older PyTorch writes it; save the weights as .safetensors with "
     "PyTorch"},
    {std::string_view("\x80\x04", 2),
     "this is a Python pickle; save the weights as .safetensors with the program that made it"},
    {std::string_view("\x89HDF", 4),
     "this is an HDF5 file, as Keras writes it; save the weights as .safetensors"},
    {std::string_view("\x93NUMPY", 6),
     "this is one numpy array (.npy); save the weights as .safetensors"},
    {std::string_view("\x1f\x8b", 2), "this is a gzip file; unpack it first"},
    {"version https://git-lfs.github.com/spec/v1",
     "this is a Git LFS pointer, not the file that it stands for; fetch that with 'git lfs pull'"},
    {"GGUF", "this is a GGUF file; save the weights as .safetensors"},
};

/// A protobuf whose first field is an integer, `08 varint`, then a message or string.
bool is_onnx(std::string_view head) {
  if (head.size() < 2 || head[0] != 0x08) return false;
  size_t at = 1;
  while (at < head.size() && at < 6 && (static_cast<unsigned char>(head[at]) & 0x80) != 0) ++at;
  ++at;
  if (at >= head.size()) return true;
  return head[at] == 0x12 || head[at] == 0x1A || head[at] == 0x22 || head[at] == 0x3A;
}

bool is_mindir(std::string_view head) {
  // ModelProto: the version of the format ("0.1.0") is field 1, the producer field 2.
  return head.size() > 8 && head[0] == 0x0A && head[1] < 16 && head[2] >= '0' && head[2] <= '9' &&
         head[3] == '.';
}

bool is_text(std::string_view head) {
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && c != '\n' && c != '\r' && c != '\t';
  };
  if (std::any_of(head.begin(), head.end(), is_control)) return false;
  // The head may end inside a character.
  for (int cut = 0; cut < 4; ++cut)
    if (is_utf8(head.substr(0, head.size() - std::min<size_t>(head.size(), cut)))) return true;
  return false;
}

}  // namespace

std::optional<std::string> known_foreign_content(const Probe& probe) {
  const std::string_view head = probe.head;
  for (const Magic& magic : kMagics)
    if (head.starts_with(magic.bytes)) return std::string(magic.message);
  if (looks_like_strategy(head))
    return fmt::format(
        "this is a strategy file (how parameters were cut over ranks), not a checkpoint: it holds "
        "no weights; 'tessera layout {}' prints it, the .ckpt files that belong to it are the "
        "checkpoint",
        printable(probe.path.string()));
  if (is_onnx(head)) {
    return "this is an ONNX model, not a checkpoint; save the weights as .safetensors with the "
           "program that made it";
  }
  if (is_mindir(head)) {
    return "this is a MindIR model (a compiled graph), not a checkpoint; save the weights with "
           "mindspore.save_checkpoint and name that file";
  }
  if (is_text(head))
    return fmt::format("this is a text file that begins with '{}', not a checkpoint",
                       printable(head.substr(0, 32)));
  return {};
}

}  // namespace tessera
