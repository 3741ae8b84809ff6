#include <algorithm>

#include "tests/fuzz/check_picture.h"

namespace tessera {
namespace {

PixelBox middle_of(const Shape& shape) {
  return {shape[0] / 3, (2 * shape[0] + 2) / 3, shape[1] / 3, (2 * shape[1] + 2) / 3};
}

/// Memory for a picture, and on both sides some that must stay as it is.
class Place {
 public:
  explicit Place(const RowType& type)
      : bytes_(type.byte_count()), all_(DType::kU8, {bytes_ + 2 * kBeside}) {
    std::ranges::fill(all_.mutable_data<uint8_t>(), kUntouched);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    for (int64_t i = 0; i < kBeside; ++i)
      for (const int64_t at : {i, kBeside + bytes_ + i})
        if (all_.data<uint8_t>()[static_cast<size_t>(at)] != kUntouched) std::abort();
  }
  Tensor tensor(const RowType& type) const {
    return Tensor::view(all_.buffer(), kBeside, type.dtype, type.shape);
  }

 private:
  static constexpr int64_t kBeside = 256;
  static constexpr uint8_t kUntouched = 0xA5;
  int64_t bytes_;
  Tensor all_;
};

Tensor decode_whole(std::span<const std::byte> file, int64_t max_pixels) {
  return internal::decode_jpeg(file, max_pixels);
}

Tensor decode_middle(std::span<const std::byte> file, int64_t max_pixels) {
  std::optional<Place> place;
  return internal::decode_jpeg(file, max_pixels, [&](const RowType& type) {
    place.emplace(type);
    return PixelsUse{.part = middle_of(type.shape), .place = place->tensor(type)};
  });
}

bool is_equal(const Tensor& a, const Tensor& b, const PixelBox& box) {
  const Box part{{box.top, box.left, 0}, {box.bottom - box.top, box.right - box.left, 3}};
  return std::ranges::equal(a.slice(part).contiguous().bytes(), b.slice(part).contiguous().bytes());
}

}  // namespace
}  // namespace tessera

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tessera;
  const Tensor whole = check_picture({data, size}, internal::is_jpeg, decode_whole);
  const Tensor middle = check_picture({data, size}, internal::is_jpeg, decode_middle);
  if (whole.is_defined() != middle.is_defined()) std::abort();
  if (whole.is_defined() && !is_equal(whole, middle, middle_of(whole.shape()))) std::abort();
  return 0;
}
