// The CRC-32 of bytes of a file, computed by several threads in bounded memory.
#pragma once

#include "tessera/io/file.h"

namespace tessera::internal {

/// The CRC of what gave `before`, followed by `range` of `file`.
uint32_t crc_of(const RandomAccessFile& file, ByteRange range, uint32_t before = 0);

/// MindSpore's trailer: "crc_num" and the CRC as a big-endian integer of 10 bytes.
inline constexpr uint64_t kCrcTrailer = 17;
/// The CRC that the last bytes of `file` give, in `crc`; false when they are no trailer. A value
/// of more than 32 bits throws kCorruptData.
bool read_crc_trailer(const RandomAccessFile& file, uint32_t& crc);

}  // namespace tessera::internal
