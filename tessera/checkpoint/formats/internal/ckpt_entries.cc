#include "tessera/checkpoint/formats/internal/ckpt_entries.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/shown.h"
#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

void require_first(bool seen, const WireField& field, std::string_view what) {
  require_valid(!seen, "a second {} at byte {} in one entry", what, field.offset);
}

}  // namespace

bool begins_like_ckpt_entry(std::string_view head) {
  if (head.size() < 3 || head[0] != 0x0A) return false;
  size_t at = 1;
  while (at < std::min<size_t>(head.size(), 10) &&
         (static_cast<unsigned char>(head[at]) & 0x80) != 0)
    ++at;
  ++at;
  return at < head.size() && (head[at] == 0x0A || head[at] == 0x12 || head[at] == 0x1A);
}

bool CkptEntryReader::next(CkptEntry& entry) {
  for (WireField field; message_.next(field);) {
    if (field.number != 1) continue;  // not of a version that is known: stepped over
    require_type(field, WireType::kBytes, "an entry");
    entry = {};
    entry.offset = field.offset;
    const ErrorContext context([&] {
      return fmt::format("reading the entry at byte {}{}", entry.offset,
                         entry.tag.empty() ? "" : " ('" + printable(entry.tag) + "')");
    });
    read_value(field.bytes, entry);
    return true;
  }
  return false;
}

void CkptEntryReader::read_value(ByteRange range, CkptEntry& entry) {
  bool has_tag = false;
  WireMessage value(window_, range);
  for (WireField field; value.next(field);) {
    if (field.number > 3) continue;
    require_type(field, WireType::kBytes, "a field of an entry");
    if (field.number == 1) {
      require_first(has_tag, field, "name");
      has_tag = true;
      entry.tag = window_.text(field.bytes, kLongestName, "the name");
      require_valid(is_utf8(entry.tag), "the name '{}' at byte {} is not UTF-8",
                    shown_text(entry.tag), field.bytes.offset);
      continue;
    }
    require_first(!entry.tensors.empty() || entry.is_map, field, "content");
    if (field.number == 2) {
      entry.tensors.push_back(read_tensor(field.bytes));
    } else {
      entry.is_map = true;
      read_map(field.bytes, entry);
    }
  }
  require_valid(has_tag, "the entry at byte {} has no name", entry.offset);
  require_valid(!entry.tensors.empty(), "the entry '{}' at byte {} holds no tensor",
                shown_text(entry.tag), entry.offset);
}

CkptTensor CkptEntryReader::read_tensor(ByteRange range) {
  CkptTensor tensor;
  bool has_type = false, has_content = false;
  WireMessage message(window_, range);
  for (WireField field; message.next(field);) {
    switch (field.number) {
      case 1:
        read_dims(field, tensor.dims);
        break;
      case 2:
        require_first(has_type, field, "type");
        has_type = true;
        require_type(field, WireType::kBytes, "the type");
        tensor.type = window_.text(field.bytes, kLongestType, "the type");
        break;
      case 3:
        require_first(has_content, field, "content");
        has_content = true;
        require_type(field, WireType::kBytes, "the content");
        tensor.content = field.bytes;
        break;
      default:
        break;
    }
  }
  require_valid(has_type, "the tensor at byte {} does not say its type", range.offset);
  if (!has_content) tensor.content = {range.end(), 0};
  return tensor;
}

void CkptEntryReader::read_dims(const WireField& field, Shape& dims) {
  const auto add = [&](uint64_t dim) {
    require_valid(dims.size() < kMostDims, "the tensor at byte {} has more than {} dims",
                  field.offset, kMostDims);
    dims.push_back(static_cast<int64_t>(dim));
  };
  if (field.type == WireType::kVarint) return add(field.value);
  require_type(field, WireType::kBytes, "the dims");
  WireMessage packed(window_, field.bytes);
  while (!packed.at_end()) add(packed.varint());
}

void CkptEntryReader::read_map(ByteRange range, CkptEntry& entry) {
  WireMessage message(window_, range);
  for (WireField field; message.next(field);) {
    if (field.number != 1) continue;
    require_type(field, WireType::kBytes, "a tensor of a map");
    require_valid(entry.tensors.size() < 3, "the map '{}' holds more than keys, values and status",
                  printable(entry.tag));
    entry.tensors.push_back(read_tensor(field.bytes));
  }
  require_valid(entry.tensors.size() == 3,
                "the map '{}' holds {} tensors, wanted keys, values and status",
                printable(entry.tag), entry.tensors.size());
}

}  // namespace tessera::internal
