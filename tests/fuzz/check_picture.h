// A decoder of pictures may refuse bytes or give pixels of the size it promises; nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tessera/data/internal/bmp.h"
#include "tessera/data/internal/jpeg.h"
#include "tessera/data/internal/png.h"

namespace tessera {

/// The pixels; undefined where the bytes are refused.
inline Tensor check_picture(std::span<const uint8_t> data,
                            bool (*is_kind)(std::span<const std::byte>),
                            Tensor (*decode)(std::span<const std::byte>, int64_t)) {
  constexpr int64_t kMostPixels = 1 << 16;
  const auto file = std::as_bytes(data);
  if (!is_kind(file)) return {};
  try {
    Tensor pixels = decode(file, kMostPixels);
    const Shape& shape = pixels.shape();
    if (shape.size() != 3 || shape[2] != 3 || shape[0] * shape[1] > kMostPixels) std::abort();
    return pixels;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) std::abort();
    return {};
  }
}

}  // namespace tessera
