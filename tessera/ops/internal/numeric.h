// The arithmetic behind an element type: f16 and bf16 are stored only and compute as float.
#pragma once

#include <type_traits>

#include "tessera/tensor/dtype.h"

namespace tessera::internal {

template <typename T>
inline constexpr bool kIsHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <typename T>
inline constexpr bool kIsFloating = kIsHalf<T> || std::is_floating_point_v<T>;
template <typename T>
inline constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

/// The type that an element computes as.
template <typename T>
using Wide = std::conditional_t<kIsHalf<T>, float, T>;

template <typename T>
Wide<T> widen(T value) {
  return static_cast<Wide<T>>(value);
}

/// `value` rounded to T.
template <typename T, typename From>
T narrow(From value) {
  if constexpr (kIsHalf<T>) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

/// Calls visit(TypeTag<T>{}) for f16, bf16, f32 and f64.
template <typename Visit>
void visit_floating(DType dtype, Visit&& visit) {
  visit_dtype(dtype, [&](auto tag) {
    if constexpr (kIsFloating<typename decltype(tag)::type>)
      visit(tag);
    else
      fail(ErrorCode::kInternal, "{} is no floating-point dtype", to_string(dtype));
  });
}

/// The same for the floating-point and the integer dtypes.
template <typename Visit>
void visit_number(DType dtype, Visit&& visit) {
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kIsFloating<T> || kIsInteger<T>)
      visit(tag);
    else
      fail(ErrorCode::kInternal, "{} is no number", to_string(dtype));
  });
}

}  // namespace tessera::internal
