// Small protobuf messages, read field by field and written into a string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tessera/io/protobuf_wire.h"

namespace tessera::internal {

/// Visits the fields of the message in `range`.
template <typename Visit>
void for_each_field(WireWindow& window, ByteRange range, Visit visit) {
  WireMessage message(window, range);
  for (WireField field; message.next(field);) visit(field);
}

inline ByteRange bytes_of(const WireField& field, std::string_view what) {
  require_type(field, WireType::kBytes, what);
  return field.bytes;
}

inline int64_t number_of(const WireField& field, std::string_view what) {
  require_type(field, WireType::kVarint, what);
  return static_cast<int64_t>(field.value);
}

/// The numbers of {repeated int dim = 1}, packed or not.
inline std::vector<int64_t> numbers_in(WireWindow& window, ByteRange range, std::string_view what) {
  std::vector<int64_t> numbers;
  for_each_field(window, range, [&](const WireField& field) {
    if (field.number != 1) return;
    if (field.type != WireType::kBytes) return numbers.push_back(number_of(field, what));
    for (WireMessage packed(window, field.bytes); !packed.at_end();)
      numbers.push_back(static_cast<int64_t>(packed.varint()));
  });
  return numbers;
}

inline void put_varint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

inline void put_number(int field, int64_t value, std::string& out) {
  out += static_cast<char>(field << 3);
  put_varint(static_cast<uint64_t>(value), out);
}

inline void put_bytes(int field, std::string_view bytes, std::string& out) {
  out += static_cast<char>(field << 3 | 2);
  put_varint(bytes.size(), out);
  out += bytes;
}

/// {repeated int dim = 1}, not packed, as the field `field`.
template <typename Numbers>
void put_numbers(int field, const Numbers& numbers, std::string& out) {
  std::string message;
  for (const auto number : numbers) put_number(1, number, message);
  put_bytes(field, message, out);
}

}  // namespace tessera::internal
