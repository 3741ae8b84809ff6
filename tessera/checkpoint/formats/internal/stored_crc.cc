#include "tessera/checkpoint/formats/internal/stored_crc.h"

#include <algorithm>
#include <vector>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/io/crc.h"

namespace tessera::internal {

uint32_t crc_of(const RandomAccessFile& file, ByteRange range, uint32_t before) {
  constexpr uint64_t kChunk = uint64_t{4} << 20;
  const auto chunks = static_cast<size_t>((range.size + kChunk - 1) / kChunk);
  std::vector<uint32_t> crcs(chunks);
  const auto chunk_size = [&](size_t i) { return std::min(kChunk, range.size - i * kChunk); };
  parallel_for(chunks, default_thread_count(), [&](size_t i) {
    std::vector<std::byte> bytes(chunk_size(i));
    file.read(range.offset + i * kChunk, bytes);
    crcs[i] = crc32(0, bytes);
  });
  uint32_t crc = before;
  for (size_t i = 0; i < chunks; ++i) crc = crc32_joined(crc, crcs[i], chunk_size(i));
  return crc;
}

bool read_crc_trailer(const RandomAccessFile& file, uint32_t& crc) {
  constexpr std::string_view kMark = "crc_num";
  std::string trailer(std::min(kCrcTrailer, file.size()), '\0');
  file.read(file.size() - trailer.size(), std::as_writable_bytes(std::span(trailer)));
  if (!trailer.starts_with(kMark)) {
    const size_t mark = trailer.find(kMark);
    require_valid(mark == std::string::npos,
                  "the file ends with a cut CRC trailer: {} of {} bytes from byte {} on",
                  trailer.size() - mark, kCrcTrailer, file.size() - trailer.size() + mark);
    return false;
  }
  require_valid(trailer.size() == kCrcTrailer, "the file is a cut CRC trailer of {} bytes",
                trailer.size());
  uint64_t value = 0;
  for (size_t i = kMark.size(); i < trailer.size(); ++i) {
    require_valid(value <= 0xFFFFFF, "the CRC trailer at byte {} has more than 32 bits",
                  file.size() - kCrcTrailer);
    value = value << 8 | static_cast<unsigned char>(trailer[i]);
  }
  crc = static_cast<uint32_t>(value);
  return true;
}

}  // namespace tessera::internal
