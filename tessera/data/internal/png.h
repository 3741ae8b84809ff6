// PNG files through libpng.
#pragma once

#include <span>
#include <vector>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

bool is_png(std::span<const std::byte> file);
/// u8 [h,w,3]: every depth, palettes, interlaced; grey becomes three equal channels, 16-bit samples
/// keep their upper byte, transparency is ignored. Throws kCorruptData with the byte.
Tensor decode_png(std::span<const std::byte> file, int64_t max_pixels);
/// `pixels` is contiguous u8 [h,w,1] or [h,w,3].
std::vector<std::byte> write_png(const Tensor& pixels);

}  // namespace tessera::internal
