// Resizing through OpenCV's imgproc, which is what MindSpore calls: the same pixels.
#pragma once

#include <cstddef>
#include <span>

#include "tessera/data/row_source.h"

namespace tessera::internal {

enum class Interpolation : uint8_t { kLinear, kNearest, kCubic, kArea };

/// From and to u8 or f32 [h,w,c], which differ in h and w only; at most kMaxResizeChannels
/// channels.
struct Resizing {
  RowType from;
  RowType to;
  Interpolation how = Interpolation::kLinear;
  /// Only what lies above and left of these is wanted; 0: all. The rest may stay as it was.
  int64_t bottom = 0;
  int64_t right = 0;
};

/// Thread-safe.
void resize_pixels(const Resizing& resizing, std::span<const std::byte> from,
                   std::span<std::byte> to);

inline constexpr int64_t kMaxResizeChannels = 512;

}  // namespace tessera::internal
