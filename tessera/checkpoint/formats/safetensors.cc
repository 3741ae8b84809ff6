// safetensors: a little-endian u64 length, so many bytes of JSON, then the tensors' bytes.
//
//   {"__metadata__":{"format":"ms"},"fc.bias":{"dtype":"F32","shape":[10],"data_offsets":[0,40]}}
//
// 1. The header has at most 100,000,000 bytes and begins with '{'; keys occur once.
// 2. Offsets count from the header's end. Taken together in order they begin at 0, leave no gap,
//    do not overlap and end where the file ends; each range has the bytes of dtype and shape.
// 3. MindSpore adds to the metadata "format", "crc_num" (a CRC-32 as decimal digits over each name
//    and the tensor's bytes, in the order of the names) and "Int4" under the name of a tensor of
//    packed 4-bit integers, whose dtype is then I8.
#include <algorithm>
#include <optional>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/formats/internal/image.h"
#include "tessera/checkpoint/formats/internal/safetensors_write.h"
#include "tessera/checkpoint/formats/internal/stored_crc.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/io/byte_reader.h"
#include "tessera/io/crc.h"
#include "tessera/io/json.h"

namespace tessera {
namespace {

constexpr uint64_t kHeaderBegin = 8;
constexpr uint64_t kLongestHeader = 100'000'000;
constexpr size_t kMostDims = 64;

std::optional<uint64_t> header_size(std::string_view head) {
  if (head.size() < 9 || head[8] != '{') return {};
  const uint64_t size = ByteReader(std::as_bytes(std::span(head)), "the header's length").u64();
  if (size < 2 || size > kLongestHeader) return {};
  return size;
}

DType dtype_called(const std::string& name, std::string_view tensor) {
  std::string lower;
  for (const char c : name) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::optional<DType> dtype = find_dtype(lower);
  if (!dtype || *dtype == DType::kI4x2 || lower == name)
    fail(ErrorCode::kUnsupported, "'{}' has the dtype '{}', which is not supported",
         printable(tensor), printable(name));
  return *dtype;
}

/// Throws kCorruptData unless `condition`; the name is looked at only then.
template <typename... Args>
void require_of(const std::string& name, bool condition, fmt::format_string<Args...> format,
                Args&&... args) {
  if (!condition)
    fail(ErrorCode::kCorruptData, "'{}' {}", printable(name),
         fmt::format(format, std::forward<Args>(args)...));
}

Record read_record(const std::string& name, const Json& value, ByteRange data) {
  Record record;
  record.name = name;
  record.dtype = dtype_called(value.at("dtype").as_string(), name);
  const Json::Array& shape = value.at("shape").items();
  require_of(name, shape.size() <= kMostDims, "has {} dims, more than {}", shape.size(), kMostDims);
  int64_t bytes = byte_size(record.dtype);
  bool is_empty = false;
  for (const Json& dim : shape) {
    const int64_t extent = dim.as_int();
    require_of(name, extent >= 0, "has the extent {}", extent);
    is_empty = is_empty || extent == 0;
    require_of(name, !__builtin_mul_overflow(bytes, std::max<int64_t>(extent, 1), &bytes),
               "has more than 2^63 bytes");
    record.shape.push_back(extent);
  }
  if (is_empty) bytes = 0;
  const Json::Array& offsets = value.at("data_offsets").items();
  require_of(name, offsets.size() == 2, "has {} data_offsets, wanted 2", offsets.size());
  const uint64_t begin = offsets[0].as_uint(), end = offsets[1].as_uint();
  require_of(name, begin <= end && end <= data.size,
             "lies at {} to {} but the file has {} bytes of data", begin, end, data.size);
  if (end - begin != static_cast<uint64_t>(bytes))
    require_of(name, false, "has {} bytes at {} to {} but {} has {}", end - begin, begin, end,
               describe(record), bytes);
  if (!is_empty || record.shape.empty())
    record.pieces.push_back({0, Encoding::kRaw, {data.offset + begin, end - begin}, nullptr});
  return record;
}

/// Rule 2: no byte of the data belongs to no tensor or to two.
void check_coverage(const Catalog& catalog, ByteRange data) {
  std::vector<std::pair<ByteRange, const std::string*>> ranges;
  for (const Record& record : catalog.records)
    if (!record.pieces.empty()) ranges.emplace_back(record.pieces[0].bytes, &record.name);
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.first.offset < b.first.offset; });
  uint64_t end = data.offset;
  const std::string* before = nullptr;
  for (const auto& [range, name] : ranges) {
    if (range.offset != end)
      require_of(*name, false, "begins at byte {} but {} ends at {}", range.offset,
                 before == nullptr ? "the header" : fmt::format("'{}'", printable(*before)), end);
    before = name;
    end = range.end();
  }
  require_valid(end == data.end(), "the last tensor{} ends at byte {} but the file at {}",
                ranges.empty() ? "" : fmt::format(" '{}'", printable(*ranges.back().second)), end,
                data.end());
}

void read_metadata(const Json& value, Catalog& catalog) {
  for (const auto& [key, text] : value.members()) {
    const ErrorContext context(
        [&name = key] { return fmt::format("reading the key '{}'", printable(name)); });
    catalog.metadata[key] = text.as_string();
  }
}

/// " at byte 30" for the key `name` of the header's `text`, or "" when it is written with escapes.
std::string place_of(std::string_view name, std::string_view text) {
  const std::string quoted = fmt::format("\"{}\"", name);
  for (size_t at = text.find(quoted); at != text.npos; at = text.find(quoted, at + 1)) {
    const size_t colon = text.find_first_not_of(" \t\r\n", at + quoted.size());
    if (colon == text.npos || text[colon] != ':') continue;
    const size_t value = text.find_first_not_of(" \t\r\n", colon + 1);
    if (value == text.npos || text[value] == '"') continue;  // of the metadata
    return fmt::format(" at byte {}", kHeaderBegin + at);
  }
  return {};
}

/// MindSpore marks packed 4-bit integers in the metadata, under the tensor's name.
void apply_int4(Catalog& catalog) {
  for (Record& record : catalog.records) {
    const auto mark = catalog.metadata.find(record.name);
    if (mark != catalog.metadata.end() && mark->second == "Int4" && record.dtype == DType::kI8)
      record.dtype = DType::kI4x2;
  }
}

/// The sum that MindSpore computes. Where it takes `bytes(array)` of an integer scalar, Python
/// makes as many zero bytes as the scalar says: `as_mindspore` repeats that.
uint32_t sum_of(const Catalog& catalog, const RandomAccessFile& file, bool as_mindspore) {
  uint32_t crc = 0;
  for (const uint32_t index : catalog.by_name) {
    const Record& record = catalog.records[index];
    crc = crc32(crc, std::as_bytes(std::span(record.name)));
    if (record.pieces.empty()) continue;
    const ByteRange range = record.pieces[0].bytes;
    if (as_mindspore && internal::is_integer_scalar(record.dtype, record.shape)) {
      std::vector<std::byte> value(range.size);
      file.read(range.offset, value);
      crc = internal::crc_of_integer_scalar(crc, record.dtype, value);
    } else {
      crc = internal::crc_of(file, range, crc);
    }
  }
  return crc;
}

void check_crc(Catalog& catalog, const RandomAccessFile& file, const OpenOptions& options) {
  const auto stored = catalog.metadata.find("crc_num");
  if (stored == catalog.metadata.end()) {
    if (options.crc != CrcCheck::kRequired) return;
    constexpr std::string_view kMessage = "the file carries no CRC although one is to be checked";
    if (!options.allows("missing_crc"))
      fail(ErrorCode::kCorruptData, "{}; '--allow missing_crc' accepts it", kMessage);
    catalog.deviations.push_back(fmt::format("missing_crc: {}", kMessage));
    return;
  }
  catalog.files[0].crc = CrcState::kPresent;
  if (options.crc == CrcCheck::kNo) return;
  const std::optional<int64_t> wanted = parse_int(stored->second);
  require_valid(wanted.has_value(), "the CRC in the metadata is '{}', not a number",
                printable(stored->second));
  const uint32_t found = sum_of(catalog, file, true);
  require_valid(found == *wanted || sum_of(catalog, file, false) == *wanted,
                "the CRC of names and tensors is {} but the file says {}: it was changed after it "
                "was saved",
                found, *wanted);
  catalog.files[0].crc = CrcState::kVerified;
}

class Safetensors : public CheckpointFormat {
 public:
  std::string_view name() const override { return "safetensors"; }
  std::string_view suffix() const override { return ".safetensors"; }
  bool recognizes(const Probe& probe) const override { return header_size(probe.head).has_value(); }

  Checkpoint open(std::shared_ptr<const RandomAccessFile> file, const Probe& probe,
                  const OpenOptions& options) const override {
    require(options.key.empty(), "a key is given but safetensors files are not encrypted");
    const std::optional<uint64_t> header = header_size(probe.head);
    require_valid(header.has_value(),
                  "the first 8 bytes are not the length of a header (at most 100,000,000 bytes, "
                  "beginning with '{{')");
    require_valid(*header <= file->size() - kHeaderBegin,
                  "the header has {} bytes but the file ends after {} of them", *header,
                  file->size() - kHeaderBegin);
    std::string text(*header, '\0');
    file->read(kHeaderBegin, std::as_writable_bytes(std::span(text)));
    const ByteRange data{kHeaderBegin + *header, file->size() - kHeaderBegin - *header};

    Catalog catalog;
    catalog.files.push_back({probe.path, std::string(name()), probe.size});
    const ErrorContext context([&] {
      return fmt::format("reading the header of {}, JSON that begins at byte {}",
                         printable(file->name()), kHeaderBegin);
    });
    visit_members(text, {kLongestHeader, 8}, [&](const std::string& key, const Json& value) {
      const ErrorContext place(
          [&] { return fmt::format("reading '{}'{}", printable(key), place_of(key, text)); });
      if (key == "__metadata__") {
        read_metadata(value, catalog);
      } else {
        catalog.records.push_back(read_record(key, value, data));
      }
    });
    check_coverage(catalog, data);
    apply_int4(catalog);
    index_records(catalog);
    check_crc(catalog, *file, options);
    return {std::move(catalog), std::make_shared<const ByteSource>(
                                    std::vector<std::shared_ptr<const RandomAccessFile>>{file})};
  }

  void write(std::span<const SaveEntry> entries, const WriteOptions& options,
             WritableFile& file) const override {
    internal::write_safetensors(entries, options, file);
  }
  FileImage image(std::span<const SaveEntry> entries, const WriteOptions& options) const override {
    check_names(entries);
    internal::require_independent_bytes(options);
    return internal::safetensors_image(entries, options);
  }
};

}  // namespace

const CheckpointFormat& format_safetensors() {
  static const Safetensors format;
  return format;
}

}  // namespace tessera
