// Files of one picture, by content: JPEG, PNG, BMP and PGM.
#pragma once

#include <span>

#include "tessera/data/row_source.h"

namespace tessera::internal {

/// Whether the first bytes are those of a picture that decode_picture reads.
bool is_picture(std::span<const std::byte> file);
/// u8 [h,w,3], as MindSpore's Decode gives it: grey becomes three equal channels, transparency is
/// ignored, 16-bit samples keep their upper byte. Throws kUnsupported for more than `max_pixels`
/// and other formats, which it names, and kCorruptData with the byte. Pixels that are not `wanted`
/// may hold anything.
Tensor decode_picture(std::span<const std::byte> file, int64_t max_pixels,
                      const PixelsWanted& wanted = nullptr);

/// Uninitialised pixels u8 [h,w,3], in memory that a picture of this thread had before where that
/// is free.
Tensor new_picture(int64_t height, int64_t width);

/// Throws kUnsupported when there are more than `max_pixels`, kCorruptData when there are none.
void check_pixels(int64_t width, int64_t height, int64_t max_pixels);

}  // namespace tessera::internal
