// Reads little-endian numbers from untrusted bytes; every read is checked against the end.
//
//   ByteReader reader(header, "block header", file_offset);
//   const uint32_t magic = reader.u32();
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "tessera/base/error.h"

namespace tessera {

/// Throws kCorruptData where the bytes end too early, naming `what` and the offset in its file.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string_view what, uint64_t base = 0)
      : bytes_(bytes), what_(what), base_(base) {}

  size_t remaining() const { return bytes_.size() - at_; }
  /// The offset in the file of the next byte.
  uint64_t offset() const { return base_ + at_; }

  std::span<const std::byte> bytes(size_t count) {
    require_valid(count <= remaining(), "{}: {} bytes are wanted at byte {} but {} are left", what_,
                  count, offset(), remaining());
    const std::span<const std::byte> taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }
  void skip(size_t count) { bytes(count); }
  uint8_t u8() { return number<uint8_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  int32_t i32() { return number<int32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }

 private:
  template <typename T>
  T number() {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
    return value;
  }

  std::span<const std::byte> bytes_;
  std::string_view what_;
  uint64_t base_;
  size_t at_ = 0;
};

}  // namespace tessera
