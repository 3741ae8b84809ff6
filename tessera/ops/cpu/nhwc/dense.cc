#include "tessera/ops/cpu/nhwc/internal/dense_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {

TESSERA_KERNEL(dense, cpu_nhwc) {
  return {.name = "tiles",
          .supports = internal::packed_dense_supports,
          .prepare =
              [](const OpCall& call, const Formats&) {
                return internal::prepare_packed_dense(call, internal::Packing::kTiles);
              },
          .takes_constants_packed = true};
}

}  // namespace tessera
