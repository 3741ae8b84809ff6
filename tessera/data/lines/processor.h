// What this processor has for the steps of pictures, and what their code for AVX-512 VBMI shares.
// TESSERA_SIMD=avx2 or none in the environment asks for less, as it does of the kernels.
#pragma once

// GCC 12 takes the registers that its own intrinsics leave undefined for a mistake (PR 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>
#include <cstdlib>
#include <string_view>

#define TESSERA_VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi")))

namespace tessera::internal {

inline std::string_view wanted_instructions() {
  const char* wanted = std::getenv("TESSERA_SIMD");
  return wanted == nullptr ? "" : wanted;
}

inline bool has_avx2() {
  static const bool has = wanted_instructions() != "none" && __builtin_cpu_supports("avx2") != 0;
  return has;
}

/// AVX-512 with permutations of bytes.
inline bool has_vbmi() {
  static const bool has = wanted_instructions() != "none" && wanted_instructions() != "avx2" &&
                          __builtin_cpu_supports("avx512vbmi") != 0 &&
                          __builtin_cpu_supports("avx512bw") != 0;
  return has;
}

inline constexpr int64_t kWide = 64;  // bytes of a register

/// The lowest `count` of 64 bits: none below 1, all from 64 on.
inline uint64_t first_bits(int64_t count) {
  return count <= 0 ? 0 : count >= kWide ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

}  // namespace tessera::internal
