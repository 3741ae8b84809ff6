// The two 16-bit floats, as storage types with exact conversions: IEEE binary16 and bfloat16.
// Rounding is to nearest, ties to even; NaN stays NaN (quiet).
#pragma once

#include <bit>
#include <cstdint>

namespace tessera {

/// IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits.
struct Half {
  uint16_t bits = 0;

  Half() = default;
  explicit Half(float value) : bits(round(value)) {}
  explicit operator float() const { return widen(bits); }
  bool operator==(const Half&) const = default;

 private:
  static uint16_t round(float value) {
    const auto x = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>(x >> 16 & 0x8000U);
    const uint32_t magnitude = x & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U)  // NaN: keep the top fraction bits, make it quiet
      return static_cast<uint16_t>(sign | 0x7E00U | (magnitude >> 13 & 0x3FFU));
    if (magnitude >= 0x477FF000U)
      return static_cast<uint16_t>(sign | 0x7C00U);  // ≥ 65520: infinity
    if (magnitude < 0x38800000U) {  // below 2^-14: subnormal; the addition rounds in hardware
      const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
      return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000U));
    }
    const uint32_t odd = magnitude >> 13 & 1U;
    return static_cast<uint16_t>(sign | (magnitude - 0x38000000U + 0xFFFU + odd) >> 13);
  }
  static float widen(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000U) << 16;
    const uint32_t magnitude = h & 0x7FFFU;
    if (magnitude >= 0x7C00U)
      return std::bit_cast<float>(sign | 0x7F800000U | (magnitude & 0x3FFU) << 13);
    if (magnitude >= 0x0400U) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000U));
    const float tiny = static_cast<float>(magnitude) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(tiny));
  }
};

/// The upper half of a binary32: 1 sign, 8 exponent, 7 fraction bits.
struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value) : bits(round(value)) {}
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
  bool operator==(const BFloat16&) const = default;

 private:
  static uint16_t round(float value) {
    const auto x = std::bit_cast<uint32_t>(value);
    if ((x & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<uint16_t>(x >> 16 | 0x40U);
    return static_cast<uint16_t>((x + 0x7FFFU + (x >> 16 & 1U)) >> 16);
  }
};

}  // namespace tessera
