// JPEG files through libjpeg-turbo, as MindSpore's Decode reads them: every sampling, baseline and
// progressive, exact integer IDCT, smooth upsampling; the orientation in EXIF is not applied.
#pragma once

#include <span>

#include "tessera/data/row_source.h"

namespace tessera::internal {

bool is_jpeg(std::span<const std::byte> file);
/// u8 [h,w,3]: grey becomes three equal channels, CMYK and YCCK become red, green and blue as
/// c·k / 255. Where only some pixels are `wanted` (may be null), the others may hold anything;
/// damage is found everywhere. Throws kCorruptData, naming the byte, where the coded data is cut or
/// damaged (a lone missing end mark is not), kUnsupported where libjpeg-turbo does not decode the
/// kind of JPEG.
Tensor decode_jpeg(std::span<const std::byte> file, int64_t max_pixels,
                   const PixelsWanted& wanted = nullptr);

}  // namespace tessera::internal
