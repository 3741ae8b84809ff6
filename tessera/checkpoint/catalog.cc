#include "tessera/checkpoint/catalog.h"

#include <algorithm>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

std::string_view to_string(CrcState state) {
  switch (state) {
    case CrcState::kNone:
      return "none";
    case CrcState::kPresent:
      return "present";
    case CrcState::kVerified:
      return "verified";
  }
  fail(ErrorCode::kInternal, "crc state {} is not one", static_cast<int>(state));
}

bool is_authenticated(const CatalogFile& file) {
  return file.cipher == "AES-GCM" && file.generation == 2;
}

bool Piece::operator==(const Piece& other) const {
  const bool same_part = part == other.part || (part && other.part && *part == *other.part);
  return file == other.file && encoding == other.encoding && bytes == other.bytes && same_part;
}

Box box_of(const Record& record, const Piece& piece) {
  return piece.part ? *piece.part : whole(record.shape);
}

Piece make_piece(const Record& record, Encoding encoding, ByteRange bytes, Box box) {
  Piece piece{0, encoding, bytes, nullptr};
  if (box != whole(record.shape)) piece.part = std::make_shared<const Box>(std::move(box));
  return piece;
}

const Record* Catalog::find(std::string_view name) const {
  const std::optional<size_t> index = index_of(name);
  return index ? &records[*index] : nullptr;
}

std::optional<size_t> Catalog::index_of(std::string_view name) const {
  if (by_name.size() != records.size()) {  // built by hand and not indexed
    const auto found = std::find_if(records.begin(), records.end(),
                                    [&](const Record& record) { return record.name == name; });
    if (found == records.end()) return {};
    return static_cast<size_t>(found - records.begin());
  }
  const auto found = std::lower_bound(
      by_name.begin(), by_name.end(), name,
      [&](uint32_t index, std::string_view wanted) { return records[index].name < wanted; });
  if (found == by_name.end() || records[*found].name != name) return {};
  return *found;
}

std::vector<std::string> Catalog::names() const {
  std::vector<std::string> all;
  all.reserve(records.size());
  for (const Record& record : records) all.push_back(record.name);
  return all;
}

void index_records(Catalog& catalog) {
  const auto& records = catalog.records;
  catalog.by_name.resize(records.size());
  std::iota(catalog.by_name.begin(), catalog.by_name.end(), 0U);
  std::sort(catalog.by_name.begin(), catalog.by_name.end(),
            [&](uint32_t a, uint32_t b) { return records[a].name < records[b].name; });
  for (size_t i = 1; i < records.size(); ++i) {
    const std::string& name = records[catalog.by_name[i]].name;
    if (records[catalog.by_name[i - 1]].name == name)
      fail(ErrorCode::kCorruptData, "two records are called '{}'", printable(name));
  }
}

uint64_t byte_count(const Record& record) {
  uint64_t bytes = 0;
  if (record.kind == RecordKind::kMap) {
    for (const Record& part : record.parts) bytes += byte_count(part);
    return bytes;
  }
  return static_cast<uint64_t>(
      checked_product(element_count(record.shape), byte_size(record.dtype)));
}

std::string describe(const Record& record) {
  switch (record.kind) {
    case RecordKind::kString:
      return "string";
    case RecordKind::kMap:
      return "map";
    case RecordKind::kTensor:
      break;
  }
  return fmt::format("{}{}", to_string(record.dtype), to_string(record.shape));
}

}  // namespace tessera
