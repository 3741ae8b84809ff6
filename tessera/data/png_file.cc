#include "tessera/data/png_file.h"

#include <algorithm>

#include "tessera/data/internal/png.h"
#include "tessera/data/internal/resize_pixels.h"

namespace tessera {
namespace {

/// With padding.
std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? std::to_integer<uint32_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

}  // namespace

std::vector<std::byte> encode_png(const Tensor& pixels) {
  const bool is_picture = pixels.dtype() == DType::kU8 && pixels.ndim() == 3 && pixels.size() > 0 &&
                          (pixels.shape()[2] == 1 || pixels.shape()[2] == 3);
  require(is_picture, "a PNG is written of u8 [h,w,1] or [h,w,3], not of {}", describe(pixels));
  return internal::write_png(pixels.contiguous());
}

std::string png_uri(const Tensor& pixels) {
  return "data:image/png;base64," + base64(encode_png(pixels));
}

Tensor shrink(const Tensor& pixels, int64_t most) {
  const int64_t longer = std::max(pixels.shape()[0], pixels.shape()[1]);
  if (longer <= most) return pixels;
  const auto side = [&](int64_t extent) { return std::max<int64_t>(1, extent * most / longer); };
  const Tensor from = pixels.contiguous();
  const RowType type{from.dtype(), from.shape()};
  Tensor small(from.dtype(), {side(type.shape[0]), side(type.shape[1]), type.shape[2]});
  internal::resize_pixels({type, {small.dtype(), small.shape()}, internal::Interpolation::kArea},
                          from.bytes(), small.mutable_bytes());
  return small;
}

}  // namespace tessera
