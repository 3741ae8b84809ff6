#include "tessera/ops/cpu/internal/direct_kernel.h"

#include "tessera/ops/cpu/internal/f32_only.h"

namespace tessera::internal {

Support direct_supports(const OpCall& call) {
  if (available_simd() == Simd::kNone) return Support::no("the processor has no AVX2");
  return f32_filled(call);
}

}  // namespace tessera::internal
