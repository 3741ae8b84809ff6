#include "tessera/tensor/shape.h"

#include <fmt/format.h>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

Shape::Shape(const int64_t* begin, const int64_t* end) {
  const auto ndim = static_cast<size_t>(end - begin);
  make_room(ndim);
  std::copy(begin, end, data());
  size_ = static_cast<uint32_t>(ndim);
}

void Shape::resize(size_t ndim, int64_t fill) {
  make_room(ndim);
  for (size_t d = size_; d < ndim; ++d) data()[d] = fill;
  size_ = static_cast<uint32_t>(ndim);
}

void Shape::make_room(size_t ndim) {
  if (ndim <= capacity_) return;
  auto* larger = new int64_t[2 * ndim];
  std::copy(begin(), end(), larger);
  if (is_outside()) delete[] extents_.outside;
  extents_.outside = larger;
  capacity_ = static_cast<uint32_t>(2 * ndim);
}

int64_t checked_product(int64_t count, int64_t bytes) {
  int64_t product = 0;
  require(!__builtin_mul_overflow(count, bytes, &product),
          "{} times {} is more than 64 bits can hold", count, bytes);
  return product;
}

int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  bool overflow = false;
  for (const int64_t extent : shape) {
    if (extent < 0)
      fail(ErrorCode::kInvalidArgument, "shape {} has an extent below zero", to_string(shape));
    if (extent == 0) return 0;
    overflow |= __builtin_mul_overflow(count, extent, &count);
  }
  if (overflow)
    fail(ErrorCode::kInvalidArgument, "shape {} has more elements than 64 bits can count",
         to_string(shape));
  return count;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (size_t d = 0; d < shape.size(); ++d) {
    const fmt::format_int extent(shape[d]);
    if (d > 0) text += ',';
    text.append(extent.data(), extent.size());
  }
  return text + "]";
}

Shape parse_shape(std::string_view text) {
  const std::string_view whole = text = trim(text);
  const bool bracketed = text.size() >= 2 && text.front() == '[' && text.back() == ']';
  require(bracketed, "'{}' is not a shape; write for example [2,3]", printable(whole));
  text = trim(text.substr(1, text.size() - 2));
  Shape shape;
  if (text.empty()) return shape;
  for (const std::string_view part : split(text, ',')) {
    const auto extent = parse_int(trim(part));
    require(extent.has_value(), "'{}' in shape '{}' is not an integer", printable(part),
            printable(whole));
    shape.push_back(*extent);
  }
  return shape;
}

Shape row_major_strides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

}  // namespace tessera
