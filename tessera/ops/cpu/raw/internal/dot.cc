#include "tessera/ops/cpu/raw/internal/dot.h"

#if defined(__clang__)
#define TESSERA_UNROLL _Pragma("unroll")
#else
#define TESSERA_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__x86_64__)
namespace tessera::internal {
namespace {
using Four = float __attribute__((vector_size(16)));
using UnalignedFour = float __attribute__((vector_size(16), aligned(4), may_alias));
using Eight = float __attribute__((vector_size(32)));
}  // namespace

namespace avx2 {
namespace {
#define TESSERA_LANES 8
#define TESSERA_TARGET __attribute__((target("avx2,fma")))
#include "tessera/ops/cpu/raw/internal/dot_body.inc"
#undef TESSERA_LANES
#undef TESSERA_TARGET
}  // namespace
}  // namespace avx2

namespace avx512 {
namespace {
#define TESSERA_LANES 16
#define TESSERA_TARGET __attribute__((target("avx512f,avx512vl,avx2,fma")))
#include "tessera/ops/cpu/raw/internal/dot_body.inc"
#undef TESSERA_LANES
#undef TESSERA_TARGET
}  // namespace
}  // namespace avx512

DotKernel dot_kernel(Simd simd) {
  const bool is_wide = simd == Simd::kAvx512 && __builtin_cpu_supports("avx512vl");
  return is_wide ? avx512::run_dots : avx2::run_dots;
}
}  // namespace tessera::internal
#else
namespace tessera::internal {
// Never called: the kernels say that the processor has no vectors they know.
DotKernel dot_kernel(Simd) {
  return nullptr;
}
}  // namespace tessera::internal
#endif
