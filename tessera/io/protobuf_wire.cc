#include "tessera/io/protobuf_wire.h"

#include <algorithm>

#include "tessera/base/error.h"

namespace tessera {

void WireWindow::fill(uint64_t offset) {
  require_valid(offset < file_.size(), "byte {} is wanted but the file has {} bytes", offset,
                file_.size());
  // The old content is dropped first: a read that throws must not leave bytes of another place.
  const uint64_t count = std::min(bytes_, file_.size() - offset);
  std::vector<uint8_t> content(std::move(content_));
  content_.clear();
  content.resize(count);
  file_.read(offset, std::as_writable_bytes(std::span(content)));
  content_ = std::move(content);
  begin_ = offset;
}

std::string WireWindow::text(ByteRange range, uint64_t limit, std::string_view what) {
  require_valid(range.size <= limit, "{} at byte {} has {} bytes, more than {}", what, range.offset,
                range.size, limit);
  std::string text;
  text.reserve(range.size);
  for (uint64_t i = 0; i < range.size; ++i) text += static_cast<char>(at(range.offset + i));
  return text;
}

WireMessage::WireMessage(WireWindow& window, ByteRange range)
    : window_(window), at_(range.offset), end_(range.end()) {
  require_valid(
      range.offset <= window.file().size() && range.size <= window.file().size() - range.offset,
      "a message of {} bytes at byte {} reaches beyond the file's {} bytes", range.size,
      range.offset, window.file().size());
}

uint64_t WireMessage::varint() {
  const uint64_t begin = at_;
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    require_valid(at_ < end_, "the integer at byte {} does not end before its message does, at {}",
                  begin, end_);
    const uint64_t byte = window_.at(at_++);
    require_valid(shift < 63 || byte <= 1, "the integer at byte {} has more than 64 bits", begin);
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail(ErrorCode::kCorruptData, "the integer at byte {} has more than 10 bytes", begin);
}

bool WireMessage::next(WireField& field) {
  if (at_ == end_) return false;
  field = {};
  field.offset = at_;
  const uint64_t key = varint();
  require_valid(key >> 3 >= 1 && key >> 3 < uint64_t{1} << 29,
                "the field key at byte {} has the number {}, which is none", field.offset,
                key >> 3);
  field.number = static_cast<uint32_t>(key >> 3);
  field.type = static_cast<WireType>(key & 7);
  switch (field.type) {
    case WireType::kVarint:
      field.value = varint();
      return true;
    case WireType::kFixed64:
      field.bytes = {at_, 8};
      break;
    case WireType::kFixed32:
      field.bytes = {at_, 4};
      break;
    case WireType::kBytes: {
      const uint64_t size = varint();
      field.bytes = {at_, size};
      break;
    }
    default:
      fail(ErrorCode::kCorruptData,
           "the field key at byte {} has wire type {}, which no writer uses", field.offset,
           key & 7);
  }
  require_valid(field.bytes.size <= end_ - at_,
                "field {} at byte {} says {} bytes but its message has {} left", field.number,
                field.offset, field.bytes.size, end_ - at_);
  at_ += field.bytes.size;
  return true;
}

void require_type(const WireField& field, WireType wanted, std::string_view what) {
  require_valid(field.type == wanted, "{} at byte {} has wire type {}, wanted {}", what,
                field.offset, static_cast<int>(field.type), static_cast<int>(wanted));
}

}  // namespace tessera
