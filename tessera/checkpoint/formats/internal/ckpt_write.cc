#include "tessera/checkpoint/formats/internal/ckpt_write.h"

#include <algorithm>
#include <optional>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/formats/internal/cipher_blocks.h"
#include "tessera/checkpoint/formats/internal/image.h"
#include "tessera/io/crc.h"

namespace tessera::internal {
namespace {

void put_varint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

uint64_t varint_size(uint64_t value) {
  uint64_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

/// A field's key with a number: its value, or how many bytes follow.
void put_field(char key, uint64_t size, std::string& out) {
  out += key;
  put_varint(size, out);
}

/// Everything of an entry that precedes its content of `content` bytes.
std::string entry_header(std::string_view name, const Shape& dims, std::string_view type,
                         uint64_t content) {
  const auto field = [](uint64_t size) { return 1 + varint_size(size) + size; };
  uint64_t tensor = field(type.size()) + field(content);
  for (const int64_t dim : dims) tensor += 1 + varint_size(static_cast<uint64_t>(dim));
  const uint64_t value = field(name.size()) + field(tensor);

  std::string header;
  header.reserve(field(value) - content);
  put_field('\x0A', value, header);
  put_field('\x0A', name.size(), header);
  header += name;
  put_field('\x12', tensor, header);
  for (const int64_t dim : dims) put_field('\x08', static_cast<uint64_t>(dim), header);
  put_field('\x12', type.size(), header);
  header += type;
  put_field('\x1A', content, header);
  return header;
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

void add_pieces(size_t entry, const SaveEntry& tensor, uint64_t most, ImageBuilder& image) {
  if (element_count(tensor.shape) == 0)
    fail(ErrorCode::kInvalidArgument,
         "'{}' {}{} has no elements: a .ckpt has no form for that (MindSpore leaves it out or "
         "makes a scalar of it); save it as .safetensors",
         printable(tensor.name), to_string(tensor.dtype), to_string(tensor.shape));
  const std::string_view type = info(tensor.dtype).mindspore_name;
  const uint64_t size = content_size(tensor);
  for (uint64_t begin = 0; begin < size; begin += most) {
    const uint64_t piece = std::min(size - begin, most);
    image.add_fixed(entry_header(tensor.name, tensor.shape, type, piece));
    image.add_content(entry, begin, piece);
  }
}

void add_string(const SaveEntry& string, uint64_t most, ImageBuilder& image) {
  require(is_utf8(string.text), "the string '{}' is not UTF-8", printable(string.name));
  require(string.text.empty() || string.text.back() != '\0',
          "the string '{}' ends with a zero byte, which the format drops", printable(string.name));
  const std::vector<uint32_t> codes = code_points(string.text);
  std::string_view bytes(reinterpret_cast<const char*>(codes.data()), codes.size() * 4);
  for (; !bytes.empty(); bytes.remove_prefix(std::min<uint64_t>(bytes.size(), most))) {
    const std::string_view piece = bytes.substr(0, most);
    image.add_fixed(entry_header(string.name, {0}, "str", piece.size()));
    image.add_fixed(piece);
  }
}

/// "crc_num" and ten bytes, big-endian.
std::string crc_trailer(uint32_t crc) {
  std::string trailer = "crc_num";
  for (int shift = 72; shift >= 0; shift -= 8)
    trailer += shift < 32 ? static_cast<char>(crc >> shift) : '\0';
  return trailer;
}

}  // namespace

FileImage ckpt_image(std::span<const SaveEntry> entries, const WriteOptions& options,
                     uint64_t most) {
  require(options.metadata.empty(), "a .ckpt holds no metadata; save it as .safetensors");
  ImageBuilder image;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].kind == RecordKind::kMap) {
      fail(ErrorCode::kInvalidArgument, "'{}' is a map, which is not written",
           printable(entries[i].name));
    } else if (entries[i].kind == RecordKind::kString) {
      add_string(entries[i], most, image);
    } else {
      add_pieces(i, entries[i], most, image);
    }
  }
  return image.take();
}

void write_ckpt(std::span<const SaveEntry> entries, const WriteOptions& options,
                WritableFile& file) {
  const FileImage image = ckpt_image(entries, options);
  std::optional<CipherBlockWriter> cipher;
  if (!options.key.empty()) cipher.emplace(file, options);
  uint32_t crc = 0;
  write_image(image, entries, [&](std::span<const std::byte> bytes) {
    if (cipher) return cipher->append(bytes);
    if (options.crc) crc = crc32(crc, bytes);
    file.append(bytes);
  });
  if (cipher) cipher->finish();
  if (!options.crc) return;
  const std::string trailer = crc_trailer(crc);
  file.append(std::as_bytes(std::span(trailer)));
}

}  // namespace tessera::internal
