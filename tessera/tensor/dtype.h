// The element types, one row of a table each, and the only switch over them.
#pragma once

#include <complex>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tessera/base/error.h"
#include "tessera/tensor/half.h"

namespace tessera {

enum class DType : uint8_t {
  kBool,
  kU8,
  kU16,
  kU32,
  kU64,
  kI4x2,  // two 4-bit integers in a byte; one element is one byte, as in MindSpore's qint4x2
  kI8,
  kI16,
  kI32,
  kI64,
  kF16,
  kBF16,
  kF32,
  kF64,
  kC64,
  kC128,
};
inline constexpr int kDTypeCount = 16;

struct DTypeInfo {
  std::string_view name;            // ours, and safetensors' in lower case: "f32"
  std::string_view mindspore_name;  // "Float32"
  int bytes;                        // of one element
  bool is_floating;                 // real floating point
  bool is_signed;
};

const DTypeInfo& info(DType dtype);
inline int byte_size(DType dtype) {
  return info(dtype).bytes;
}
inline std::string_view to_string(DType dtype) {
  return info(dtype).name;
}
/// The dtype called `name` in our spelling ("f32"), or nothing.
std::optional<DType> find_dtype(std::string_view name);
/// The same; throws kInvalidArgument with the known names.
DType parse_dtype(std::string_view name);

/// Packed pairs of 4-bit integers.
struct Int4x2 {
  uint8_t bits = 0;
  bool operator==(const Int4x2&) const = default;
};

template <typename T>
struct TypeTag {
  using type = T;
};

/// Calls visit(TypeTag<T>{}) with the C++ type of `dtype`'s elements. The only dtype switch.
template <typename Visit>
decltype(auto) visit_dtype(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::kBool:
      return visit(TypeTag<bool>{});
    case DType::kU8:
      return visit(TypeTag<uint8_t>{});
    case DType::kU16:
      return visit(TypeTag<uint16_t>{});
    case DType::kU32:
      return visit(TypeTag<uint32_t>{});
    case DType::kU64:
      return visit(TypeTag<uint64_t>{});
    case DType::kI4x2:
      return visit(TypeTag<Int4x2>{});
    case DType::kI8:
      return visit(TypeTag<int8_t>{});
    case DType::kI16:
      return visit(TypeTag<int16_t>{});
    case DType::kI32:
      return visit(TypeTag<int32_t>{});
    case DType::kI64:
      return visit(TypeTag<int64_t>{});
    case DType::kF16:
      return visit(TypeTag<Half>{});
    case DType::kBF16:
      return visit(TypeTag<BFloat16>{});
    case DType::kF32:
      return visit(TypeTag<float>{});
    case DType::kF64:
      return visit(TypeTag<double>{});
    case DType::kC64:
      return visit(TypeTag<std::complex<float>>{});
    case DType::kC128:
      return visit(TypeTag<std::complex<double>>{});
  }
  fail(ErrorCode::kInternal, "dtype {} is not one", static_cast<int>(dtype));
}

/// The dtype whose elements are T: dtype_of<float> is kF32. Reads like the function that it is.
// NOLINTBEGIN(readability-identifier-naming)
template <typename T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "T is no element type");
  return DType::kBool;
}();
template <>
inline constexpr DType dtype_of<bool> = DType::kBool;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::kU8;
template <>
inline constexpr DType dtype_of<uint16_t> = DType::kU16;
template <>
inline constexpr DType dtype_of<uint32_t> = DType::kU32;
template <>
inline constexpr DType dtype_of<uint64_t> = DType::kU64;
template <>
inline constexpr DType dtype_of<Int4x2> = DType::kI4x2;
template <>
inline constexpr DType dtype_of<int8_t> = DType::kI8;
template <>
inline constexpr DType dtype_of<int16_t> = DType::kI16;
template <>
inline constexpr DType dtype_of<int32_t> = DType::kI32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::kI64;
template <>
inline constexpr DType dtype_of<Half> = DType::kF16;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::kBF16;
template <>
inline constexpr DType dtype_of<float> = DType::kF32;
template <>
inline constexpr DType dtype_of<double> = DType::kF64;
template <>
inline constexpr DType dtype_of<std::complex<float>> = DType::kC64;
template <>
inline constexpr DType dtype_of<std::complex<double>> = DType::kC128;
// NOLINTEND(readability-identifier-naming)

}  // namespace tessera
