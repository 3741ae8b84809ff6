// Resizing through OpenCV's imgproc, which is what MindSpore calls: the same pixels.
#pragma once

#include <cstddef>
#include <span>

#include "tessera/data/row_source.h"

namespace tessera::internal {

enum class Interpolation : uint8_t { kLinear, kNearest, kCubic, kArea };

/// Resizes `from` of type `from_type`, u8 or f32 [h,w,c], into `to`, whose type differs in h and w
/// only. At most kMaxResizeChannels channels. Thread-safe.
void resize_pixels(const RowType& from_type, std::span<const std::byte> from,
                   const RowType& to_type, std::span<std::byte> to, Interpolation how);

inline constexpr int64_t kMaxResizeChannels = 512;

}  // namespace tessera::internal
