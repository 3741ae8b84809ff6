#include "tessera/comm/combine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace tessera {
namespace {

/// In which type values of T are combined.
template <typename T>
struct Wide {
  using type = T;
};
template <>
struct Wide<Half> {
  using type = float;
};
template <>
struct Wide<BFloat16> {
  using type = float;
};

template <typename T>
T add(T a, T b) {
  if constexpr (std::is_same_v<T, bool>) {
    return a || b;
  } else if constexpr (std::is_integral_v<T>) {
    using Unsigned = std::make_unsigned_t<T>;  // wraps; narrow ones would be promoted to int
    return static_cast<T>(
        static_cast<Unsigned>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b)));
  } else {
    return a + b;
  }
}

template <ReduceOp op, typename T>
T apply(T a, T b) {
  if constexpr (op == ReduceOp::kSum) {
    return add(a, b);
  } else if constexpr (op == ReduceOp::kMax) {
    return b > a || a != a ? b : a;
  } else {
    return b < a || a != a ? b : a;
  }
}

template <typename T>
constexpr bool kIsOrdered = std::is_arithmetic_v<typename Wide<T>::type>;

/// Bytes of a block's intermediate values: they stay in the first cache.
constexpr int64_t kBlockBytes = 8192;

/// One block: at most kBlockBytes of W.
template <ReduceOp op, typename T>
void combine_block(std::span<const std::byte* const> sources,
                   std::span<std::byte* const> destinations, int64_t begin, int64_t count) {
  using W = typename Wide<T>::type;
  alignas(64) std::array<W, kBlockBytes / sizeof(W)> values;
  const auto source = [&](size_t i) { return reinterpret_cast<const T*>(sources[i]) + begin; };
  const T* first = source(0);
  size_t next = 1;
  if (sources.size() > 1) {
    const T* second = source(next++);
    for (int64_t i = 0; i < count; ++i)
      values[i] = apply<op, W>(static_cast<W>(first[i]), static_cast<W>(second[i]));
  } else {
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<W>(first[i]);
  }
  for (; next < sources.size(); ++next) {
    const T* other = source(next);
    for (int64_t i = 0; i < count; ++i)
      values[i] = apply<op, W>(values[i], static_cast<W>(other[i]));
  }
  for (std::byte* to : destinations) {
    T* destination = reinterpret_cast<T*>(to) + begin;
    for (int64_t i = 0; i < count; ++i) destination[i] = static_cast<T>(values[i]);
  }
}

template <ReduceOp op, typename T>
void combine_all(std::span<const std::byte* const> sources,
                 std::span<std::byte* const> destinations, int64_t count) {
  constexpr int64_t kBlock = kBlockBytes / static_cast<int64_t>(sizeof(typename Wide<T>::type));
  for (int64_t begin = 0; begin < count; begin += kBlock)
    combine_block<op, T>(sources, destinations, begin, std::min(kBlock, count - begin));
}

}  // namespace

void require_combinable(DType dtype, ReduceOp op) {
  if (dtype == DType::kI4x2)
    fail(ErrorCode::kUnsupported,
         "{} does not combine by {}: two 4-bit integers share a byte; cast to i8 first",
         to_string(dtype), to_string(op));
  if (op != ReduceOp::kSum && (dtype == DType::kC64 || dtype == DType::kC128))
    fail(ErrorCode::kUnsupported, "{} has no {}: complex numbers have no order", to_string(dtype),
         to_string(op));
}

void combine(DType dtype, ReduceOp op, std::span<const std::byte* const> sources,
             std::span<std::byte* const> destinations, int64_t count) {
  require_combinable(dtype, op);
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, Int4x2>) {
      if (op == ReduceOp::kSum) return combine_all<ReduceOp::kSum, T>(sources, destinations, count);
      if constexpr (kIsOrdered<T>) {
        if (op == ReduceOp::kMax)
          return combine_all<ReduceOp::kMax, T>(sources, destinations, count);
        return combine_all<ReduceOp::kMin, T>(sources, destinations, count);
      }
    }
  });
}

}  // namespace tessera
