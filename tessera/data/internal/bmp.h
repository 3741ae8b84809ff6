// Windows bitmaps (.bmp), also with the header of OS/2: 1, 4 or 8 bits with a palette, packed (RLE)
// or not, 16, 24 and 32 bits, bottom up or top down. The format: "Bitmap Storage", Microsoft's
// documentation.
#pragma once

#include <span>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

bool is_bmp(std::span<const std::byte> file);
/// u8 [h,w,3]; the fourth byte of 32 bits is ignored. Throws kUnsupported for channels in odd
/// places and JPEG or PNG within, naming them, kCorruptData where the file is cut or contradicts
/// itself.
Tensor decode_bmp(std::span<const std::byte> file, int64_t max_pixels);

}  // namespace tessera::internal
