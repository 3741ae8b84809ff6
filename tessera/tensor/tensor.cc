#include "tessera/tensor/tensor.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <type_traits>

#include "tessera/base/shown.h"

namespace tessera {

Tensor::Tensor(DType dtype, Shape shape, Device device)
    : dtype_(dtype), shape_(std::move(shape)), strides_(row_major_strides(shape_)) {
  buffer_ = Buffer::allocate(checked_product(element_count(shape_), byte_size(dtype)), device);
}

Tensor Tensor::view(std::shared_ptr<Buffer> buffer, int64_t offset, DType dtype, Shape shape) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.strides_ = row_major_strides(tensor.shape_);
  tensor.offset_ = offset;
  tensor.buffer_ = std::move(buffer);
  const int64_t bytes = checked_product(element_count(tensor.shape_), byte_size(dtype));
  require(offset >= 0 && bytes <= tensor.buffer_->size() - offset,
          "{} at byte {} does not fit into a buffer of {} bytes",
          late([&] { return describe(tensor); }), offset, tensor.buffer_->size());
  return tensor;
}

bool Tensor::is_contiguous() const {
  return strides_ == row_major_strides(shape_) || size() <= 1;
}

void Tensor::check_access(DType wanted) const {
  if (buffer_ == nullptr) fail(ErrorCode::kInternal, "this tensor was never given elements");
  if (dtype_ != wanted)
    fail(ErrorCode::kInternal, "{} was read as {}", describe(*this), to_string(wanted));
  if (!is_contiguous())
    fail(ErrorCode::kInternal, "{} is a slice that is not contiguous", describe(*this));
}

std::span<const std::byte> Tensor::bytes() const {
  check_access(dtype_);
  return {buffer_->data() + offset_, static_cast<size_t>(byte_count())};
}

std::span<std::byte> Tensor::mutable_bytes() {
  check_access(dtype_);
  return {buffer_->mutable_data() + offset_, static_cast<size_t>(byte_count())};
}

Tensor Tensor::slice(const Box& box) const {
  const bool same_dims = box.size.size() == ndim() && box.begin.size() == ndim();
  require(same_dims && contains(whole(shape_), box), "box {} is not inside {}", shown(box),
          late([&] { return describe(*this); }));
  Tensor part = *this;
  part.shape_ = box.size;
  for (size_t d = 0; d < ndim(); ++d)
    part.offset_ += box.begin[d] * strides_[d] * byte_size(dtype_);
  return part;
}

Tensor Tensor::reshape(Shape shape) const {
  require(element_count(shape) == size(), "{} has {} elements, shape {} needs {}",
          late([&] { return describe(*this); }), size(), shown(shape), element_count(shape));
  Tensor other = contiguous();
  other.strides_ = row_major_strides(shape);
  other.shape_ = std::move(shape);
  return other;
}

Tensor Tensor::contiguous() const {
  return is_contiguous() ? *this : clone();
}

Tensor Tensor::clone() const {
  Tensor copy(dtype_, shape_, device());
  copy_elements(*this, copy);
  return copy;
}

namespace {

/// `value` cut towards zero. What does not fit, and NaN, become the most negative i32 (i64 for
/// 64-bit and u32 targets), reduced to the target's bits: what x86 gives, and so MindSpore on it.
template <typename To, typename From>
To to_integer(From value) {
  constexpr bool kLong = sizeof(To) == 8 || std::is_same_v<To, uint32_t>;
  using Middle = std::conditional_t<kLong, int64_t, int32_t>;
  constexpr auto kLimit = static_cast<From>(kLong ? 0x1p63 : 0x1p31);
  if (std::is_same_v<To, uint64_t> && value >= kLimit && value < kLimit * 2)
    return static_cast<To>(static_cast<uint64_t>(value));
  if (value >= -kLimit && value < kLimit) return static_cast<To>(static_cast<Middle>(value));
  return static_cast<To>(std::numeric_limits<Middle>::min());
}

template <typename From, typename To>
To convert(From value) {
  constexpr bool kFromHalf = std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>;
  constexpr bool kToHalf = std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>;
  if constexpr (kFromHalf) {
    return convert<float, To>(static_cast<float>(value));
  } else if constexpr (kToHalf) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> &&
                       !std::is_same_v<To, bool>) {
    return to_integer<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <typename T>
inline constexpr bool kIsReal =
    !std::is_same_v<T, Int4x2> && !std::is_same_v<T, std::complex<float>> &&
    !std::is_same_v<T, std::complex<double>>;

}  // namespace

Tensor Tensor::cast(DType dtype) const {
  if (dtype == dtype_) return clone();
  const Tensor from = contiguous();
  Tensor to(dtype, shape_, device());
  visit_dtype(dtype_, [&](auto from_tag) {
    visit_dtype(dtype, [&](auto to_tag) {
      using From = typename decltype(from_tag)::type;
      using To = typename decltype(to_tag)::type;
      if constexpr (kIsReal<From> && kIsReal<To>) {
        const auto source = from.data<From>();
        auto target = to.mutable_data<To>();
        for (size_t i = 0; i < source.size(); ++i) target[i] = convert<From, To>(source[i]);
      } else {
        fail(ErrorCode::kUnsupported, "{} cannot be cast to {}", describe(*this), to_string(dtype));
      }
    });
  });
  return to;
}

void copy_elements(const Tensor& from, Tensor& to) {
  require(from.shape() == to.shape() && from.dtype() == to.dtype(), "{} cannot be copied into {}",
          late([&] { return describe(from); }), late([&] { return describe(to); }));
  if (from.size() == 0) return;
  const int64_t element = byte_size(from.dtype());
  const std::byte* source = from.buffer()->data() + from.byte_offset();
  std::byte* target = to.buffer()->mutable_data() + to.byte_offset();
  if (from.is_contiguous() && to.is_contiguous()) {
    std::memcpy(target, source, static_cast<size_t>(from.byte_count()));
    return;
  }
  // Row by row over the last dim, which is copied whole where it is dense on both sides.
  const size_t outer = from.ndim() - 1;
  const int64_t width = from.shape().back();
  const bool dense = from.strides().back() == 1 && to.strides().back() == 1;
  Shape index(outer, 0);
  while (true) {
    int64_t a = 0, b = 0;
    for (size_t d = 0; d < outer; ++d) {
      a += index[d] * from.strides()[d];
      b += index[d] * to.strides()[d];
    }
    const int64_t runs = dense ? 1 : width;
    const auto bytes = static_cast<size_t>(dense ? width * element : element);
    for (int64_t i = 0; i < runs; ++i)
      std::memcpy(target + (b + i * to.strides().back()) * element,
                  source + (a + i * from.strides().back()) * element, bytes);
    size_t d = outer;
    while (d > 0 && ++index[d - 1] == from.shape()[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

std::string describe(const Tensor& tensor) {
  return fmt::format("{}{}", to_string(tensor.dtype()), to_string(tensor.shape()));
}

namespace {

template <typename T>
std::string value_text(T value) {
  if constexpr (std::is_same_v<T, Int4x2>) {
    return fmt::format("0x{:02x}", value.bits);
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return fmt::format("{}", static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, std::complex<float>> ||
                       std::is_same_v<T, std::complex<double>>) {
    return fmt::format("{}{:+}i", value.real(), value.imag());
  } else {
    return fmt::format("{}", value);
  }
}

}  // namespace

std::string to_string(const Tensor& tensor, int64_t limit) {
  const Tensor plain = tensor.contiguous();
  std::string text = describe(tensor) + " {";
  visit_dtype(tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto values = plain.data<T>();
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text += ", ";
      if (static_cast<int64_t>(i) == limit) {
        text += "...";
        return;
      }
      text += value_text(static_cast<T>(values[i]));
    }
  });
  return text + "}";
}

}  // namespace tessera
