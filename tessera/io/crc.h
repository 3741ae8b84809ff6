// CRC-32 as zlib computes it (ISO-HDLC, polynomial 0xEDB88320): MindSpore's checksum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tessera {

/// The CRC of the bytes that gave `before`, followed by `bytes`; 0 is the CRC of nothing.
uint32_t crc32(uint32_t before, std::span<const std::byte> bytes);
/// The CRC of a followed by b, from the CRC of each and the length of b.
uint32_t crc32_joined(uint32_t a, uint32_t b, uint64_t b_size);

}  // namespace tessera
