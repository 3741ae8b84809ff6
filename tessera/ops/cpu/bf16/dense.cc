#include "tessera/ops/cpu/nhwc/internal/dense_kernel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/precision_support.h"

namespace tessera {
namespace {

Support supports(const OpCall& call) {
  if (Support support = precision_support(Precision::kBf16); !support.ok) return support;
  return internal::packed_dense_supports(call);
}

}  // namespace

TESSERA_KERNEL(dense, cpu_bf16) {
  return {.name = "bf16",
          .supports = supports,
          .prepare =
              [](const OpCall& call, const Formats&) {
                return internal::prepare_packed_dense(call, internal::Packing::kPairs);
              },
          .takes_constants_packed = true,
          .precision = Precision::kBf16};
}

}  // namespace tessera
