// Walks protobuf wire data inside a file of any size without reading what it steps over: a varint
// key (number << 3 | wire type), then a varint, 4 or 8 bytes, or a varint length and as many bytes.
//
//   WireWindow window(file);
//   WireMessage message(window, {0, file.size()});
//   for (WireField field; message.next(field);) ...
//
// The specification is developers.google.com/protocol-buffers/docs/encoding. Groups, which no
// format here uses, are refused. Every length is checked against the message around it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/io/file.h"

namespace tessera {

/// A few bytes of the file at a time.
class WireWindow {
 public:
  static constexpr uint64_t kBytes = 1024;

  explicit WireWindow(const RandomAccessFile& file, uint64_t bytes = kBytes)
      : file_(file), bytes_(bytes) {}

  const RandomAccessFile& file() const { return file_; }
  /// The byte at `offset`, which must lie inside the file.
  uint8_t at(uint64_t offset) {
    if (offset - begin_ >= content_.size()) fill(offset);
    return content_[offset - begin_];
  }
  /// The bytes of `range`, which must lie inside the file; throws kCorruptData when they are more
  /// than `limit`.
  std::string text(ByteRange range, uint64_t limit, std::string_view what);

 private:
  void fill(uint64_t offset);

  const RandomAccessFile& file_;
  uint64_t bytes_;
  uint64_t begin_ = 0;
  std::vector<uint8_t> content_;
};

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t value = 0;   // of kVarint
  ByteRange bytes;      // of kBytes, kFixed32, kFixed64: where the content lies
  uint64_t offset = 0;  // of the key
};

/// The fields of the message in `range`, in file order. Throws kCorruptData with the offset.
class WireMessage {
 public:
  WireMessage(WireWindow& window, ByteRange range);

  bool next(WireField& field);
  uint64_t offset() const { return at_; }

  /// The varint at the point of reading, for packed fields.
  uint64_t varint();
  bool at_end() const { return at_ == end_; }

 private:
  WireWindow& window_;
  uint64_t at_;
  uint64_t end_;
};

/// Throws kCorruptData unless `field`, called `what` in messages, has this wire type.
void require_type(const WireField& field, WireType wanted, std::string_view what);

}  // namespace tessera
