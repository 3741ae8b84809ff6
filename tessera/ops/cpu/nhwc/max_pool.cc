#include "tessera/ops/cpu/nhwc/internal/channels_last.h"
#include "tessera/ops/cpu/nhwc/internal/pool_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {

TESSERA_KERNEL(max_pool, cpu_nhwc) {
  return {.name = "nhwc",
          .supports = internal::channels_last_supports,
          .suits = internal::pool_suits,
          .prepare = [](const OpCall& call, const Formats&) {
            internal::PixelPool pool;
            pool.window = pool_window(call);
            return internal::prepare_pixel_pool(call, pool);
          }};
}

}  // namespace tessera
