#include "tessera/ops/cpu/nhwc/internal/conv_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {

TESSERA_KERNEL(conv2d, cpu_nhwc) {
  return {.name = "nhwc",
          .supports = internal::packed_conv_supports,
          .prepare =
              [](const OpCall& call, const Formats&) {
                const bool by_winograd =
                    internal::winograd_is_faster(call, internal::available_simd());
                return internal::prepare_packed_conv(
                    call, by_winograd ? internal::Packing::kWinograd : internal::Packing::kTiles);
              },
          .takes_constants_packed = true};
}

}  // namespace tessera
