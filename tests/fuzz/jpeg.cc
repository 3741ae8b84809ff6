#include "tests/fuzz/check_picture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto whole = [](std::span<const std::byte> file, int64_t max_pixels) {
    return tessera::internal::decode_jpeg(file, max_pixels);
  };
  const auto middle = [](std::span<const std::byte> file, int64_t max_pixels) {
    return tessera::internal::decode_jpeg(file, max_pixels, [](const tessera::RowType& type) {
      const tessera::Shape& shape = type.shape;
      const tessera::PixelBox box = {shape[0] / 3, (2 * shape[0] + 2) / 3, shape[1] / 3,
                                     (2 * shape[1] + 2) / 3};
      return tessera::PixelsUse{.part = box, .place = tessera::Tensor(type.dtype, shape)};
    });
  };
  tessera::check_picture({data, size}, tessera::internal::is_jpeg, whole);
  tessera::check_picture({data, size}, tessera::internal::is_jpeg, middle);
  return 0;
}
