#include "tessera/ops/peak.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "tessera/ops/cpu/internal/direct.h"
#include "tessera/ops/cpu/internal/parallel.h"

namespace tessera {
namespace {

constexpr int kSums = 12;  // apart from each other, enough for two units of four cycles each
constexpr int64_t kSteps = 200'000;

#if defined(__x86_64__)
using Vector8 = float __attribute__((vector_size(32)));
using Vector16 = float __attribute__((vector_size(64)));

// The compiler is told that something changes the sums before and after: else it would see that all
// are the same, or that nobody needs them.
__attribute__((target("avx2,fma"))) void multiply_add(const Vector8& factor, int64_t steps) {
  Vector8 s[kSums] = {};
  for (Vector8& sum : s) asm volatile("" : "+x"(sum));
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (Vector8& sum : s) {  // NOLINT: one instruction each
      sum = sum * factor + factor;
    }
  }
  for (Vector8& sum : s) asm volatile("" : "+x"(sum));
}

__attribute__((target("avx512f,avx2,fma"))) void multiply_add(const Vector16& factor,
                                                              int64_t steps) {
  Vector16 s[kSums] = {};
  for (Vector16& sum : s) asm volatile("" : "+v"(sum));
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (Vector16& sum : s) {  // NOLINT: one instruction each
      sum = sum * factor + factor;
    }
  }
  for (Vector16& sum : s) asm volatile("" : "+v"(sum));
}

void multiply_add(internal::Simd simd) {
  if (simd == internal::Simd::kAvx512) {
    Vector16 factor = {};
    factor += 0.5F;
    multiply_add(factor, kSteps);
  } else {
    Vector8 factor = {};
    factor += 0.5F;
    multiply_add(factor, kSteps);
  }
}
#else
void multiply_add(internal::Simd) {}
#endif

}  // namespace

double measure_peak(int threads) {
  using Clock = std::chrono::steady_clock;
  const internal::Simd simd = internal::available_simd();
  if (simd == internal::Simd::kNone) return 0;
  constexpr int kTries = 20;
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    std::vector<double> seconds(static_cast<size_t>(threads), 0.0);
    internal::parallel_ranges(threads, threads, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const Clock::time_point start = Clock::now();
        multiply_add(simd);
        seconds[static_cast<size_t>(t)] =
            std::chrono::duration<double>(Clock::now() - start).count();
      }
    });
    double sum = 0;
    for (const double time : seconds) {
      sum += 2.0 * kSums * static_cast<double>(kSteps * internal::lanes(simd)) / time;
    }
    best = std::max(best, sum);
  }
  return best;
}

}  // namespace tessera
