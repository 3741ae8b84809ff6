// The packed pixels of a BMP (RLE8, RLE4) as one byte for each:
//
//   unpack_rle(bytes, {.bits = 8, .width = 5, .height = 1, .at = 54})   05 01 00 01 -> 1 1 1 1 1
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tessera::internal {

struct PackedPixels {
  uint32_t bits = 8;  // 8 or 4
  size_t width = 0;
  size_t height = 0;
  size_t at = 0;  // where the bytes stand in the file, for errors
};

/// The colours' numbers, line by line as the file has them; 0 where it says nothing. Throws
/// kCorruptData where the bytes end too soon or leave the picture.
std::vector<uint8_t> unpack_rle(std::span<const std::byte> bytes, const PackedPixels& pixels);

}  // namespace tessera::internal
