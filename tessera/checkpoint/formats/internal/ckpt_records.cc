#include "tessera/checkpoint/formats/internal/ckpt_records.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "tessera/base/error.h"
#include "tessera/base/shown.h"
#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

constexpr std::string_view kString = "str";

/// The dtype a type string names. MindSpore up to 1.5 spelt unsigned types "Uint8".
std::optional<DType> dtype_called(std::string_view type) {
  std::string name(type);
  if (name.starts_with("Uint")) name[1] = 'I';
  for (int i = 0; i < kDTypeCount; ++i)
    if (info(static_cast<DType>(i)).mindspore_name == name) return static_cast<DType>(i);
  return {};
}

/// Map tensors name their types as numpy does: "float32".
std::optional<DType> dtype_called_by_numpy(std::string_view type) {
  if (type.empty()) return {};
  std::string name(type);
  name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  if (name.starts_with("Uint")) name[1] = 'I';
  return dtype_called(name);
}

DType require_dtype(const std::optional<DType>& dtype, const CkptTensor& tensor,
                    std::string_view name) {
  if (dtype) return *dtype;
  std::vector<std::string> known{std::string(kString)};
  for (int i = 0; i < kDTypeCount; ++i)
    known.emplace_back(info(static_cast<DType>(i)).mindspore_name);
  fail(ErrorCode::kCorruptData, "'{}' has the unknown type '{}'{}", printable(name),
       printable(tensor.type), suggest(tensor.type, known));
}

/// The bytes that a tensor of these dims takes; throws when there are none or too many.
uint64_t checked_bytes(const Shape& dims, int element_bytes, std::string_view name) {
  int64_t product = element_bytes;
  bool is_empty = false;
  for (const int64_t dim : dims) {
    require_valid(dim >= 0, "'{}' has the dims {}, of which {} is negative", shown_text(name),
                  shown(dims), dim);
    is_empty = is_empty || dim == 0;
    // An extent of 0 counts as 1 here, so that the order of the dims makes no difference.
    require_valid(!__builtin_mul_overflow(product, std::max<int64_t>(dim, 1), &product),
                  "'{}' has the dims {}, more bytes than 2^63", shown_text(name), shown(dims));
  }
  return is_empty ? 0 : static_cast<uint64_t>(product);
}

Shape shape_of(const Shape& dims, uint64_t content_bytes) {
  // Up to 2.2 a scalar's dims were [0]; an empty tensor, which has no content, has them too.
  if (dims == Shape{0} && content_bytes > 0) return {};
  return dims;
}

/// Appends to `record` the pieces for `contents`, laid one after the other from element 0 on.
void append_pieces(Record& record, std::span<const ByteRange> contents, Encoding encoding) {
  const auto stored = static_cast<uint64_t>(
      encoding == Encoding::kBF16AsF32 ? byte_size(DType::kF32) : byte_size(record.dtype));
  const auto total = static_cast<uint64_t>(element_count(record.shape));
  uint64_t bytes = 0;
  for (const ByteRange& content : contents) {
    require_valid(content.size % stored == 0,
                  "'{}': its part of {} bytes at byte {} ends inside an element of {} bytes",
                  shown_text(record.name), content.size, content.offset, stored);
    const uint64_t begin = bytes / stored;
    bytes += content.size;
    const uint64_t end = std::min(bytes / stored, total);
    if (begin >= end) continue;
    for (FlatBox& part : boxes_of_flat_range(record.shape, static_cast<int64_t>(begin),
                                             static_cast<int64_t>(end))) {
      const auto count = static_cast<uint64_t>(element_count(part.box.size));
      const uint64_t at = (static_cast<uint64_t>(part.begin) - begin) * stored;
      record.pieces.push_back(
          make_piece(record, encoding, {content.offset + at, count * stored}, std::move(part.box)));
    }
  }
  if (bytes / stored >= total) return;
  for (FlatBox& part : boxes_of_flat_range(record.shape, static_cast<int64_t>(bytes / stored),
                                           static_cast<int64_t>(total)))
    record.pieces.push_back(make_piece(record, Encoding::kZero, {}, std::move(part.box)));
}

}  // namespace

std::vector<FlatBox> boxes_of_flat_range(const Shape& shape, int64_t begin, int64_t end) {
  std::vector<FlatBox> boxes;
  const Shape strides = row_major_strides(shape);
  while (begin < end) {
    // The largest block of whole slices that starts here: over dim d, of strides[d] elements each.
    Box box = whole(shape);
    int64_t rest = begin, count = 1;
    bool placed = false;
    for (size_t d = 0; d < shape.size() && !placed; ++d) {
      const int64_t at = rest / strides[d];
      rest -= at * strides[d];
      const int64_t slices = std::min(shape[d] - at, (end - begin) / strides[d]);
      box.begin[d] = at;
      box.size[d] = 1;
      if (rest != 0 || slices == 0) continue;
      box.size[d] = slices;
      count = slices * strides[d];
      placed = true;
    }
    boxes.push_back({std::move(box), begin});
    begin += count;
  }
  return boxes;
}

size_t NameTable::slot_of(std::string_view name) const {
  size_t slot = std::hash<std::string_view>()(name) % slots_.size();
  while (slots_[slot] != kFree && records_[slots_[slot]].name != name)
    slot = (slot + 1) % slots_.size();
  return slot;
}

std::optional<uint32_t> NameTable::find(std::string_view name) const {
  const uint32_t index = slots_[slot_of(name)];
  return index == kFree ? std::nullopt : std::optional(index);
}

void NameTable::add_last() {
  const size_t last = records_.size() - 1;
  if (2 * records_.size() > slots_.size()) {
    std::vector<uint32_t>().swap(slots_);  // first, so that two tables never exist at once
    slots_.assign(4 * records_.size(), kFree);
    for (size_t i = 0; i < last; ++i) slots_[slot_of(records_[i].name)] = static_cast<uint32_t>(i);
  }
  slots_[slot_of(records_[last].name)] = static_cast<uint32_t>(last);
}

void CkptRecords::require_allowed(std::string_view deviation, const std::string& name,
                                  const std::string& message) {
  if (!options_.allows(deviation, name)) {
    fail(ErrorCode::kCorruptData, "{}; '--allow {}:{}' accepts it", message, deviation,
         printable(name));
  }
  catalog_.deviations.push_back(fmt::format("{}: {}", deviation, message));
}

void CkptRecords::add(CkptEntry entry) {
  if (entry.is_map) return add_map(std::move(entry));
  last_is_map_ = false;
  const ErrorContext context(
      [&] { return fmt::format("reading '{}' at byte {}", printable(entry.tag), entry.offset); });
  if (!pending_.empty() && pending_[0].first.tag == entry.tag) {
    Pending& pending = pending_[0];
    const CkptTensor& first = pending.first.tensor();
    const bool is_string = first.type == kString;
    const bool continues = first.type == entry.tensor().type && first.dims == entry.tensor().dims &&
                           (is_string || pending.bytes < pending.wanted);
    if (continues) {
      pending.contents.push_back(entry.tensor().content);
      pending.bytes += entry.tensor().content.size;
      return;
    }
  }
  finish_pending();
  Pending pending;
  pending.contents = {entry.tensor().content};
  pending.bytes = entry.tensor().content.size;
  if (entry.tensor().type != kString) {
    const DType dtype = require_dtype(dtype_called(entry.tensor().type), entry.tensor(), entry.tag);
    const Shape shape = shape_of(entry.tensor().dims, pending.bytes);
    pending.wanted = checked_bytes(shape, byte_size(dtype), entry.tag);
    // MindSpore 2.2 stored bfloat16 as float32, always whole.
    if (dtype == DType::kBF16 && pending.bytes == 2 * pending.wanted) pending.wanted *= 2;
  }
  pending.first = std::move(entry);
  pending_.push_back(std::move(pending));
}

void CkptRecords::finish() {
  finish_pending();
}

void CkptRecords::finish_pending() {
  if (pending_.empty()) return;
  const Pending pending = std::move(pending_[0]);
  pending_.clear();
  const bool is_string = pending.first.tensor().type == kString;
  keep(is_string ? string_record(pending) : tensor_record(pending), pending.first.offset);
}

Record CkptRecords::tensor_record(const Pending& pending) {
  const CkptTensor& tensor = pending.first.tensor();
  const std::string& name = pending.first.tag;
  Record record;
  record.name = name;
  record.dtype = *dtype_called(tensor.type);
  record.shape = shape_of(tensor.dims, pending.bytes);
  const uint64_t plain = checked_bytes(record.shape, byte_size(record.dtype), name);
  const Encoding encoding = pending.wanted != plain ? Encoding::kBF16AsF32 : Encoding::kRaw;
  if (pending.bytes != pending.wanted) {
    const bool is_short = pending.bytes < pending.wanted;
    require_allowed(
        is_short ? "short_content" : "long_content", name,
        fmt::format("'{}' {}{} has {} bytes of content at byte {}, wanted {}{}", printable(name),
                    to_string(record.dtype), to_string(record.shape), pending.bytes,
                    pending.first.offset, pending.wanted,
                    is_short ? " (the rest would be zeros)" : " (the rest would be ignored)"));
    // Zeros that nothing in the file stands for are bounded by what the file could hold.
    require_valid(pending.wanted / 16 <= std::max<uint64_t>(pending.bytes, 4096),
                  "'{}' has {} of {} bytes: too few to fill the rest with zeros", printable(name),
                  pending.bytes, pending.wanted);
  }
  append_pieces(record, pending.contents, encoding);
  return record;
}

Record CkptRecords::string_record(const Pending& pending) {
  Record record;
  record.name = pending.first.tag;
  record.kind = RecordKind::kString;
  record.dtype = DType::kU32;
  require_valid(pending.bytes % 4 == 0,
                "the string '{}' at byte {} has {} bytes, not 4 for each character",
                printable(record.name), pending.first.offset, pending.bytes);
  record.shape = {static_cast<int64_t>(pending.bytes / 4)};
  append_pieces(record, pending.contents, Encoding::kRaw);
  return record;
}

void CkptRecords::add_map(CkptEntry entry) {
  finish_pending();
  constexpr std::string_view kParts[] = {"keys", "values", "status"};
  const bool continues =
      last_is_map_ && !catalog_.records.empty() && catalog_.records.back().name == entry.tag;
  last_is_map_ = true;
  Record record;
  if (continues) {
    record = std::move(catalog_.records.back());
  } else {
    record.name = entry.tag;
    record.kind = RecordKind::kMap;
    record.parts.resize(3);
  }
  for (size_t i = 0; i < 3; ++i) {
    const CkptTensor& tensor = entry.tensors[i];
    Record& part = record.parts[i];
    const DType dtype = require_dtype(dtype_called_by_numpy(tensor.type), tensor, entry.tag);
    const uint64_t wanted = checked_bytes(tensor.dims, byte_size(dtype), entry.tag);
    require_valid(tensor.content.size == wanted && !tensor.dims.empty(),
                  "the {} of the map '{}' have {} bytes for {}{}", kParts[i], printable(entry.tag),
                  tensor.content.size, to_string(dtype), to_string(tensor.dims));
    if (!continues) {
      part.name = kParts[i];
      part.dtype = dtype;
      part.shape = tensor.dims;
      part.shape[0] = 0;
    }
    // A further value of the map brings further rows.
    Box box = whole(tensor.dims);
    box.begin[0] = part.shape[0];
    Shape rows = tensor.dims;
    rows[0] = part.shape[0];
    require_valid(part.dtype == dtype && rows == part.shape &&
                      !__builtin_add_overflow(part.shape[0], tensor.dims[0], &part.shape[0]),
                  "the {} of the map '{}' change from {}{} to {}{}", kParts[i],
                  printable(entry.tag), to_string(part.dtype), to_string(part.shape),
                  to_string(dtype), to_string(tensor.dims));
    checked_bytes(part.shape, byte_size(dtype), entry.tag);
    // Never without a box: further rows make the part larger than this value.
    if (!is_empty(box))
      part.pieces.push_back({0, Encoding::kRaw, tensor.content, std::make_shared<const Box>(box)});
  }
  if (continues) {
    catalog_.records.back() = std::move(record);
  } else {
    keep(std::move(record), entry.offset);
  }
}

void CkptRecords::keep(Record record, uint64_t offset) {
  if (record.name.empty())
    require_allowed("empty_name", "",
                    fmt::format("the entry at byte {} has an empty name", offset));
  const std::optional<uint32_t> known = index_by_name_.find(record.name);
  if (!known) {
    require_valid(catalog_.records.size() < NameTable::kMostRecords,
                  "the entry at byte {} is one more than the {} that are read", offset,
                  NameTable::kMostRecords);
    catalog_.records.push_back(std::move(record));
    index_by_name_.add_last();
    return;
  }
  require_allowed("duplicate_names", record.name,
                  fmt::format("'{}' occurs again at byte {} (the last one would be taken)",
                              printable(record.name), offset));
  catalog_.records[*known] = std::move(record);
  last_is_map_ = false;  // the map, if it is one, is not the last record
}

}  // namespace tessera::internal
