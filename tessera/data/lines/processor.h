// What this processor has for the steps of pictures. TESSERA_SIMD=avx2 or none in the environment
// asks for less, as it does of the kernels.
#pragma once

#include <cstdlib>
#include <string_view>

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

}  // namespace tessera::internal
