#include "tessera/ops/cpu/bf16/internal/pairs.h"
#include "tessera/ops/cpu/nhwc/internal/conv_kernel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/precision_support.h"

namespace tessera {
namespace {

/// At best two products are added in the time of one; Winograd with large patches leaves out three
/// of four.
Support supports(const OpCall& call) {
  if (Support support = precision_support(Precision::kBf16); !support.ok) return support;
  if (Support support = internal::packed_conv_supports(call); !support.ok) return support;
  if (internal::fastest_packing(call, internal::available_simd()) ==
      internal::Packing::kWinograd4) {
    return Support::no("Winograd in f32 takes fewer cycles");
  }
  return Support::yes();
}

}  // namespace

TESSERA_KERNEL(conv2d, cpu_bf16) {
  return {.name = "bf16",
          .supports = supports,
          .prepare =
              [](const OpCall& call, const Formats&) {
                return internal::prepare_packed_conv(call, internal::Packing::kPairs);
              },
          .takes_constants_packed = true,
          .precision = Precision::kBf16};
}

}  // namespace tessera
