#include "tessera/io/crc.h"

#include <zlib.h>

namespace tessera {

uint32_t crc32(uint32_t before, std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(
      ::crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

uint32_t crc32_joined(uint32_t a, uint32_t b, uint64_t b_size) {
  return static_cast<uint32_t>(::crc32_combine(a, b, static_cast<z_off_t>(b_size)));
}

}  // namespace tessera
