// PNG files through libpng.
#pragma once

#include <span>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

inline constexpr int64_t kMaxImagePixels = int64_t{1} << 26;

bool is_png(std::span<const std::byte> file);
/// u8 [h,w,3], or [h,w,1] where the picture has no colour; 16-bit samples keep their upper byte.
Tensor decode_png(std::span<const std::byte> file);

}  // namespace tessera::internal
