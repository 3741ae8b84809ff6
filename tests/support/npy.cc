#include "tests/support/npy.h"

#include <zlib.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::testing {
namespace {

using Bytes = std::span<const std::byte>;

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(ErrorCode::kNotFound, "cannot read {}", path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A little-endian number at `at`.
uint64_t number(Bytes bytes, size_t at, size_t size) {
  require_valid(size <= bytes.size() && at <= bytes.size() - size, "cut at byte {}", bytes.size());
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value |= std::to_integer<uint64_t>(bytes[at + i]) << (8 * i);
  return value;
}

Bytes part(Bytes bytes, size_t at, size_t size) {
  require_valid(size <= bytes.size() && at <= bytes.size() - size, "cut at byte {}", bytes.size());
  return bytes.subspan(at, size);
}

DType dtype_from(std::string_view descr) {
  constexpr std::pair<std::string_view, DType> kNames[] = {
      {"b1", DType::kBool}, {"u1", DType::kU8},   {"u2", DType::kU16}, {"u4", DType::kU32},
      {"u8", DType::kU64},  {"i1", DType::kI8},   {"i2", DType::kI16}, {"i4", DType::kI32},
      {"i8", DType::kI64},  {"f2", DType::kF16},  {"f4", DType::kF32}, {"f8", DType::kF64},
      {"c8", DType::kC64},  {"c16", DType::kC128}};
  for (const auto& [name, dtype] : kNames)
    if (descr.size() > 1 && descr[0] != '>' && descr.substr(1) == name) return dtype;
  fail(ErrorCode::kUnsupported, "npy dtype '{}'", printable(descr));
}

/// The text after "'key': " in the header, a Python dict.
std::string_view field(std::string_view header, std::string_view key) {
  const size_t at = header.find(key);
  require_valid(at != std::string_view::npos, "npy header has no {}", key);
  return trim(header.substr(at + key.size()));
}

Tensor parse_npy(Bytes file) {
  const Bytes magic = part(file, 0, 8);
  require_valid(std::memcmp(magic.data(), "\x93NUMPY", 6) == 0, "no npy file");
  const size_t wide = std::to_integer<int>(magic[6]) == 1 ? 2 : 4;
  const auto length = static_cast<size_t>(number(file, 8, wide));
  const Bytes text = part(file, 8 + wide, length);
  const std::string_view header(reinterpret_cast<const char*>(text.data()), text.size());
  require_valid(field(header, "'fortran_order':").starts_with("False"), "npy in Fortran order");
  const std::string_view descr = field(header, "'descr': '");
  const std::string_view shape_text = field(header, "'shape': (");
  Shape shape;
  for (const std::string_view extent : split(shape_text.substr(0, shape_text.find(')')), ','))
    if (!trim(extent).empty()) shape.push_back(parse_int(trim(extent)).value());
  Tensor tensor(dtype_from(descr.substr(0, descr.find('\''))), shape);
  const Bytes content = part(file, 8 + wide + length, static_cast<size_t>(tensor.byte_count()));
  if (!content.empty()) std::memcpy(tensor.mutable_bytes().data(), content.data(), content.size());
  return tensor;
}

std::string inflate_raw(Bytes deflated, size_t size) {
  std::string content(size, '\0');
  z_stream stream{};
  require(inflateInit2(&stream, -MAX_WBITS) == Z_OK, "zlib does not start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(deflated.data()));
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(content.data());
  stream.avail_out = static_cast<uInt>(content.size());
  const int status = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  require_valid(status == Z_STREAM_END, "zip entry does not inflate: {}", status);
  return content;
}

/// Where the central directory begins and how many entries it has.
std::pair<size_t, size_t> find_directory(Bytes zip) {
  for (size_t at = zip.size() >= 22 ? zip.size() - 22 : 0; at > 0; --at)
    if (number(zip, at, 4) == 0x06054B50)
      return {static_cast<size_t>(number(zip, at + 16, 4)),
              static_cast<size_t>(number(zip, at + 10, 2))};
  fail(ErrorCode::kCorruptData, "no zip archive");
}

}  // namespace

Tensor read_npy(const std::filesystem::path& path) {
  const ErrorContext context([&] { return fmt::format("reading {}", path.string()); });
  const std::string file = read_bytes(path);
  return parse_npy(std::as_bytes(std::span(file)));
}

std::map<std::string, Tensor> read_npz(const std::filesystem::path& path) {
  const ErrorContext context([&] { return fmt::format("reading {}", path.string()); });
  const std::string file = read_bytes(path);
  const Bytes zip = std::as_bytes(std::span(file));
  std::map<std::string, Tensor> arrays;
  auto [at, count] = find_directory(zip);
  for (; count > 0; --count) {
    require_valid(number(zip, at, 4) == 0x02014B50, "no zip directory entry at byte {}", at);
    const auto method = number(zip, at + 10, 2);
    const auto packed = static_cast<size_t>(number(zip, at + 20, 4));
    const auto size = static_cast<size_t>(number(zip, at + 24, 4));
    const auto name_size = static_cast<size_t>(number(zip, at + 28, 2));
    const auto local = static_cast<size_t>(number(zip, at + 42, 4));
    const Bytes name_bytes = part(zip, at + 46, name_size);
    std::string name(reinterpret_cast<const char*>(name_bytes.data()), name_size);
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    const auto skipped =
        static_cast<size_t>(number(zip, local + 26, 2) + number(zip, local + 28, 2));
    const Bytes content = part(zip, local + 30 + skipped, packed);
    require_valid(method == 0 || method == 8, "zip entry '{}' is packed by method {}",
                  printable(name), method);
    if (method == 0) {
      arrays.emplace(name, parse_npy(content));
    } else {
      const std::string inflated = inflate_raw(content, size);
      arrays.emplace(name, parse_npy(std::as_bytes(std::span(inflated))));
    }
    at += 46 + name_size + static_cast<size_t>(number(zip, at + 30, 2) + number(zip, at + 32, 2));
  }
  return arrays;
}

}  // namespace tessera::testing
