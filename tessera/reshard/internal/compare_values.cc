#include "tessera/reshard/internal/compare_values.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace tessera::internal {
namespace {

/// |a - b| and the larger and the second magnitude.
struct Distance {
  double difference = 0;
  double larger = 0;
  double second = 0;
};

double magnitude(uint64_t bits, bool is_negative) {
  return static_cast<double>(is_negative ? uint64_t{0} - bits : bits);
}

/// Exact before it is rounded to double, also for 64-bit integers.
template <typename T>
requires std::is_integral_v<T> Distance distance(T a, T b) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  const double p = magnitude(x, a < T{0}), q = magnitude(y, b < T{0});
  return {static_cast<double>(a < b ? y - x : x - y), std::max(p, q), q};
}

Distance distance(double a, double b) {
  return {std::abs(a - b), std::max(std::abs(a), std::abs(b)), std::abs(b)};
}
Distance distance(float a, float b) {
  return distance(static_cast<double>(a), static_cast<double>(b));
}
Distance distance(Half a, Half b) {
  return distance(static_cast<float>(a), static_cast<float>(b));
}
Distance distance(BFloat16 a, BFloat16 b) {
  return distance(static_cast<float>(a), static_cast<float>(b));
}
template <typename T>
Distance distance(std::complex<T> a, std::complex<T> b) {
  const std::complex<double> x(a), y(b);
  return {std::abs(x - y), std::max(std::abs(x), std::abs(y)), std::abs(y)};
}

/// The farther pair of the two 4-bit numbers.
Distance distance(Int4x2 a, Int4x2 b) {
  const auto low = [](Int4x2 v) { return static_cast<int>((v.bits & 15U) ^ 8U) - 8; };
  const auto high = [](Int4x2 v) { return static_cast<int>((v.bits >> 4U) ^ 8U) - 8; };
  const Distance x = distance(low(a), low(b)), y = distance(high(a), high(b));
  return x.difference > y.difference ? x : y;
}

template <typename T>
T element(const std::byte* bytes, int64_t index) {
  if constexpr (std::is_same_v<T, bool>) {
    return bytes[index] != std::byte{0};
  } else {
    T value;
    std::memcpy(&value, bytes + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return value;
  }
}

bool add(const Distance& found, const Tolerance& tolerance, ValueDifference& tally) {
  ++tally.differing;
  const bool is_number = !std::isnan(found.difference);
  const double difference = is_number ? found.difference : std::numeric_limits<double>::infinity();
  tally.largest_absolute = std::max(tally.largest_absolute, difference);
  if (found.larger > 0 && is_number)
    tally.largest_relative = std::max(
        tally.largest_relative, std::isinf(difference) ? difference : difference / found.larger);
  const bool is_exact = tolerance.relative == 0 && tolerance.absolute == 0;
  const bool is_close = !is_exact && std::isfinite(difference) &&
                        difference <= tolerance.absolute + tolerance.relative * found.second;
  if (!is_close) ++tally.beyond;
  return !is_close;
}

template <typename T>
int64_t compare_equal_dtypes(const std::byte* a, const std::byte* b, int64_t count,
                             const Tolerance& tolerance, ValueDifference& tally) {
  constexpr size_t kWidth = sizeof(T);
  int64_t first = -1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = i * static_cast<int64_t>(kWidth);
    if (std::memcmp(a + at, b + at, kWidth) == 0) continue;
    const bool is_beyond = add(distance(element<T>(a, i), element<T>(b, i)), tolerance, tally);
    if (is_beyond && first < 0) first = i;
  }
  return first;
}

constexpr int64_t kChunk = 512;
using Chunk = std::array<double, kChunk>;

/// As double; a complex number is taken for its real part, which compare_sources never asks for.
void convert(DType dtype, const std::byte* bytes, int64_t count, Chunk& out) {
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < count; ++i) {
      const T value = element<T>(bytes, i);
      double& to = out[static_cast<size_t>(i)];
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
        to = static_cast<float>(value);
      } else if constexpr (std::is_arithmetic_v<T>) {
        to = static_cast<double>(value);
      } else if constexpr (std::is_same_v<T, Int4x2>) {
        to = value.bits;
      } else {
        to = static_cast<double>(value.real());
      }
    }
  });
}

}  // namespace

int64_t compare_run(const Elements& a, const Elements& b, int64_t count, const Tolerance& tolerance,
                    ValueDifference& tally) {
  const int64_t width_a = byte_size(a.dtype), width_b = byte_size(b.dtype);
  if (a.dtype == b.dtype) {
    if (std::memcmp(a.bytes, b.bytes, static_cast<size_t>(count * width_a)) == 0) return -1;
    return visit_dtype(a.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      return compare_equal_dtypes<T>(a.bytes, b.bytes, count, tolerance, tally);
    });
  }
  int64_t first = -1;
  Chunk x, y;
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    const int64_t size = std::min(kChunk, count - begin);
    convert(a.dtype, a.bytes + begin * width_a, size, x);
    convert(b.dtype, b.bytes + begin * width_b, size, y);
    for (int64_t i = 0; i < size; ++i) {
      const double p = x[static_cast<size_t>(i)], q = y[static_cast<size_t>(i)];
      if (p == q || (std::isnan(p) && std::isnan(q))) continue;
      if (add(distance(p, q), tolerance, tally) && first < 0) first = begin + i;
    }
  }
  return first;
}

}  // namespace tessera::internal
