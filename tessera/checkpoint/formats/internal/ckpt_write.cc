#include "tessera/checkpoint/formats/internal/ckpt_write.h"

#include <algorithm>
#include <optional>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/formats/internal/cipher_blocks.h"
#include "tessera/io/crc.h"

namespace tessera::internal {
namespace {

/// MindSpore cuts a parameter into entries of at most this many bytes of content.
constexpr uint64_t kPiece = uint64_t{512} << 20;

void put_varint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_bytes(char key, std::string_view bytes, std::string& out) {
  out += key;
  put_varint(bytes.size(), out);
  out += bytes;
}

/// Everything of an entry that precedes its content of `content` bytes.
std::string entry_header(std::string_view name, const Shape& dims, std::string_view type,
                         uint64_t content) {
  std::string tensor;
  for (const int64_t dim : dims) {
    tensor += '\x08';
    put_varint(static_cast<uint64_t>(dim), tensor);
  }
  put_bytes('\x12', type, tensor);
  tensor += '\x1A';
  put_varint(content, tensor);
  std::string value;
  put_bytes('\x0A', name, value);
  value += '\x12';
  put_varint(tensor.size() + content, value);
  std::string entry = "\x0A";
  put_varint(value.size() + tensor.size() + content, entry);
  return entry + value + tensor;
}

/// The buffer of the numpy string that MindSpore saves: UTF-32, one zero for "".
std::vector<uint32_t> code_points(std::string_view text) {
  std::vector<uint32_t> codes;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t code = length == 1 ? first : first & (0x7FU >> length);
    for (size_t k = 1; k < length; ++k)
      code = code << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
    codes.push_back(code);
    i += length;
  }
  if (codes.empty()) codes.push_back(0);
  return codes;
}

class CkptWriter {
 public:
  CkptWriter(const WriteOptions& options, WritableFile& file) : options_(options), file_(file) {
    if (!options.key.empty()) cipher_.emplace(file, options);
  }

  void write(const SaveEntry& entry) {
    if (entry.kind == RecordKind::kString) {
      require(is_utf8(entry.text), "the string '{}' is not UTF-8", printable(entry.name));
      require(entry.text.empty() || entry.text.back() != '\0',
              "the string '{}' ends with a zero byte, which the format drops",
              printable(entry.name));
      const std::vector<uint32_t> codes = code_points(entry.text);
      return write_pieces(entry.name, {0}, "str", std::as_bytes(std::span(codes)));
    }
    require(entry.kind == RecordKind::kTensor, "'{}' is a map, which is not written",
            printable(entry.name));
    require(element_count(entry.shape) > 0,
            "'{}' {}{} has no elements: a .ckpt has no form for that (MindSpore leaves it out or "
            "makes a scalar of it); save it as .safetensors",
            printable(entry.name), to_string(entry.dtype), to_string(entry.shape));
    const Tensor tensor = entry.produce();
    require(tensor.dtype() == entry.dtype && tensor.shape() == entry.shape,
            "'{}' is {} but was announced as {}{}", printable(entry.name), describe(tensor),
            to_string(entry.dtype), to_string(entry.shape));
    write_pieces(entry.name, entry.shape, info(entry.dtype).mindspore_name, tensor.bytes());
  }

  void finish() {
    if (cipher_) cipher_->finish();
    if (!options_.crc) return;
    std::string trailer = "crc_num";
    for (int shift = 72; shift >= 0; shift -= 8)
      trailer += shift < 32 ? static_cast<char>(crc_ >> shift) : '\0';
    file_.append(std::as_bytes(std::span(trailer)));
  }

 private:
  void write_pieces(std::string_view name, const Shape& dims, std::string_view type,
                    std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto piece = bytes.first(std::min<uint64_t>(bytes.size(), kPiece));
      const std::string header = entry_header(name, dims, type, piece.size());
      put(std::as_bytes(std::span(header)));
      put(piece);
      bytes = bytes.subspan(piece.size());
    }
  }

  void put(std::span<const std::byte> bytes) {
    if (cipher_) return cipher_->append(bytes);
    if (options_.crc) crc_ = crc32(crc_, bytes);
    file_.append(bytes);
  }

  const WriteOptions& options_;
  WritableFile& file_;
  std::optional<CipherBlockWriter> cipher_;
  uint32_t crc_ = 0;
};

}  // namespace

void write_ckpt(std::span<const SaveEntry> entries, const WriteOptions& options,
                WritableFile& file) {
  require(options.metadata.empty(), "a .ckpt holds no metadata; save it as .safetensors");
  CkptWriter writer(options, file);
  for (const SaveEntry& entry : entries) writer.write(entry);
  writer.finish();
}

}  // namespace tessera::internal
