#include "tessera/checkpoint/formats/internal/safetensors_write.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/formats/internal/image.h"
#include "tessera/io/crc.h"

namespace tessera::internal {
namespace {

/// The safetensors package lays tensors out by dtype, in this order, then by name, so that wide
/// elements are aligned.
constexpr DType kOrder[] = {DType::kU64, DType::kI64,  DType::kF64,  DType::kC64, DType::kF32,
                            DType::kU32, DType::kI32,  DType::kBF16, DType::kF16, DType::kU16,
                            DType::kI16, DType::kI4x2, DType::kI8,   DType::kU8,  DType::kBool};

size_t place_of(const SaveEntry& entry) {
  const DType dtype = entry.dtype == DType::kI4x2 ? DType::kI8 : entry.dtype;
  const auto* found = std::find(std::begin(kOrder), std::end(kOrder), dtype);
  if (found == std::end(kOrder))
    fail(ErrorCode::kInvalidArgument, "'{}' is {}, which safetensors has no name for",
         printable(entry.name), to_string(entry.dtype));
  return static_cast<size_t>(found - std::begin(kOrder));
}

std::string dtype_name(DType dtype) {
  std::string name(to_string(dtype == DType::kI4x2 ? DType::kI8 : dtype));
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

void check_entry(const SaveEntry& entry) {
  if (entry.kind != RecordKind::kTensor)
    fail(ErrorCode::kInvalidArgument,
         "'{}' is a {}: safetensors holds tensors only; leave it out or save as .ckpt",
         printable(entry.name), entry.kind == RecordKind::kString ? "string" : "map");
  require(entry.name != "__metadata__", "a tensor cannot be called '__metadata__' in safetensors");
}

uint32_t sum_of(std::span<const SaveEntry> entries) {
  std::vector<const SaveEntry*> by_name;
  for (const SaveEntry& entry : entries) by_name.push_back(&entry);
  std::sort(by_name.begin(), by_name.end(),
            [](const SaveEntry* a, const SaveEntry* b) { return a->name < b->name; });
  uint32_t crc = 0;
  for (const SaveEntry* entry : by_name) {
    crc = crc32(crc, std::as_bytes(std::span(entry->name)));
    const Tensor tensor = produce(*entry);
    crc = is_integer_scalar(entry->dtype, entry->shape)
              ? crc_of_integer_scalar(crc, entry->dtype, tensor.bytes())
              : crc32(crc, tensor.bytes());
  }
  return crc;
}

std::string metadata_json(std::span<const SaveEntry> entries, const WriteOptions& options) {
  std::map<std::string, std::string> more = options.metadata;
  more.erase("crc_num");
  for (const SaveEntry& entry : entries)
    if (entry.dtype == DType::kI4x2) more[entry.name] = "Int4";
  const auto named = more.find("format");
  std::string text =
      fmt::format(R"({{"format":"{}")", named == more.end() ? "ms" : json_escape(named->second));
  more.erase("format");
  if (options.crc) text += fmt::format(R"(,"crc_num":"{}")", sum_of(entries));
  for (const auto& [key, value] : more)
    text += fmt::format(R"(,"{}":"{}")", json_escape(key), json_escape(value));
  return text + "}";
}

}  // namespace

bool is_integer_scalar(DType dtype, const Shape& shape) {
  return shape.empty() && dtype != DType::kBool && dtype != DType::kI4x2 && dtype <= DType::kI64;
}

uint32_t crc_of_integer_scalar(uint32_t before, DType dtype, std::span<const std::byte> value) {
  constexpr uint64_t kMost = uint64_t{1} << 32;
  const uint64_t number = visit_dtype(dtype, [&](auto tag) -> uint64_t {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T>) {
      T scalar{};
      std::memcpy(&scalar, value.data(), sizeof scalar);
      return static_cast<uint64_t>(static_cast<int64_t>(scalar));
    }
    fail(ErrorCode::kInternal, "{} is no integer dtype", to_string(dtype));
  });
  if (number > kMost) return crc32(before, value);
  // The CRC of `number` zero bytes, from those of 1, 2, 4, … of them.
  constexpr std::byte kZero{};
  uint32_t crc = before;
  uint32_t block = crc32(0, {&kZero, 1});
  for (uint64_t size = 1; size <= number; size *= 2) {
    if ((number & size) != 0) crc = crc32_joined(crc, block, size);
    block = crc32_joined(block, block, size);
  }
  return crc;
}

namespace {

FileImage lay_out(std::span<const SaveEntry> entries, const std::string& metadata) {
  for (const SaveEntry& entry : entries) check_entry(entry);
  std::vector<std::pair<size_t, size_t>> order;  // place of the dtype, index
  for (size_t i = 0; i < entries.size(); ++i) order.emplace_back(place_of(entries[i]), i);
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : entries[a.second].name < entries[b.second].name;
  });
  std::string header = R"({"__metadata__":)" + metadata;
  int64_t end = 0;
  for (const auto& [place, index] : order) {
    const SaveEntry& entry = entries[index];
    const int64_t begin = end;
    require(!__builtin_add_overflow(begin, static_cast<int64_t>(content_size(entry)), &end),
            "the tensors have more than 2^63 bytes together");
    header += ",\"";
    header += json_escape(entry.name);
    header += R"(":{"dtype":")";
    header += dtype_name(entry.dtype);
    header += R"(","shape":)";
    header += to_string(entry.shape);
    header += R"(,"data_offsets":)";
    header += to_string(Shape{begin, end});
    header += '}';
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');
  require(header.size() <= 100'000'000, "the header would have {}, more than the format allows",
          human_bytes(header.size()));
  const uint64_t size = header.size();
  ImageBuilder image;
  image.add_fixed({reinterpret_cast<const char*>(&size), sizeof size});
  image.add_fixed(header);
  for (const auto& [place, index] : order)
    image.add_content(index, 0, content_size(entries[index]));
  return image.take();
}

}  // namespace

FileImage safetensors_image(std::span<const SaveEntry> entries, const WriteOptions& options) {
  return lay_out(entries, metadata_json(entries, options));
}

void write_safetensors(std::span<const SaveEntry> entries, const WriteOptions& options,
                       WritableFile& file) {
  const FileImage image = safetensors_image(entries, options);
  write_image(image, entries, [&](std::span<const std::byte> bytes) { file.append(bytes); });
}

}  // namespace tessera::internal
