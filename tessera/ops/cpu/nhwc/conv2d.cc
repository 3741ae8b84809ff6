#include "tessera/ops/cpu/nhwc/internal/conv_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {

TESSERA_KERNEL(conv2d, cpu_nhwc) {
  return {.name = "nhwc",
          .supports = internal::packed_conv_supports,
          .prepare =
              [](const OpCall& call, const Formats&) {
                return internal::prepare_packed_conv(
                    call, internal::fastest_packing(call, internal::available_simd()));
              },
          .takes_constants_packed = true};
}

}  // namespace tessera
