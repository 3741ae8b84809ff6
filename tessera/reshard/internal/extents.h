// The byte ranges of a file that a region of a piece lies in.
#pragma once

#include <cstdint>

#include "tessera/checkpoint/catalog.h"

namespace tessera::internal {

/// Bytes per stored element.
inline uint64_t stored_width(const Record& record, const Piece& piece) {
  if (piece.encoding == Encoding::kZero) return 0;
  return static_cast<uint64_t>(
      byte_size(piece.encoding == Encoding::kBF16AsF32 ? DType::kF32 : record.dtype));
}

/// What reading a box out of a row-major piece takes: `count` ranges of `run` bytes, the first at
/// byte `begin` of the piece and the last ending at `end`. Ranges nearer than `gap` bytes are one.
struct Extents {
  uint64_t count = 0;
  uint64_t run = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
};

Extents extents_of(const Box& piece, const Box& box, uint64_t width, uint64_t gap);

}  // namespace tessera::internal
