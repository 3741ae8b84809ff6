// Sums in a row that a compiler makes vectors of.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tessera::internal {

/// Sums of terms(i) for i below `count`, kSums at once; of up to some thousand terms.
template <size_t kSums, typename Terms>
std::array<float, kSums> wide_sums(int64_t count, const Terms& terms) {
  constexpr int64_t kWide = 16;
  float part[kSums][kWide] = {};
  int64_t i = 0;
  for (; i + kWide <= count; i += kWide) {
    for (int64_t w = 0; w < kWide; ++w) {
      const std::array<float, kSums> term = terms(i + w);
      for (size_t k = 0; k < kSums; ++k) part[k][w] += term[k];
    }
  }
  for (; i < count; ++i) {
    const std::array<float, kSums> term = terms(i);
    for (size_t k = 0; k < kSums; ++k) part[k][i % kWide] += term[k];
  }
  std::array<float, kSums> sums{};
  for (size_t k = 0; k < kSums; ++k)
    for (const float sum : part[k]) sums[k] += sum;
  return sums;
}

}  // namespace tessera::internal
