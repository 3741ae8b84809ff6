// FNV-1a: a hash that is the same in every process and on every machine. It finds what differs by
// chance, not what somebody made to look alike.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tessera {

inline uint64_t fnv1a(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte byte : bytes) hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
  return hash;
}
inline uint64_t fnv1a(std::string_view text) {
  return fnv1a(std::as_bytes(std::span(text)));
}

}  // namespace tessera
