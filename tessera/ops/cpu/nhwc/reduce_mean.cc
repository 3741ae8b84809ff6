#include "tessera/ops/cpu/nhwc/internal/channels_last.h"
#include "tessera/ops/cpu/nhwc/internal/pool_kernel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"

namespace tessera {
namespace {

Support supports(const OpCall& call) {
  const Shape& shape = call.shape(0);
  if (shape.size() == 4) {
    const std::vector<bool> reduced = internal::chosen_axes(call.attr<Ints>("axis"), 4);
    if (!reduced[0] && !reduced[1] && reduced[2] && reduced[3]) {
      return internal::channels_last_supports(call);
    }
  }
  return Support::no("made for means over the pixels of images");
}

/// One window over the whole image.
internal::PixelPool whole_image(const OpCall& call) {
  internal::PixelPool pool;
  pool.is_mean = true;
  for (const size_t d : {size_t{2}, size_t{3}}) {
    WindowDim& dim = d == 2 ? pool.window.y : pool.window.x;
    dim.input = dim.kernel = dim.stride = call.shape(0)[d];
    dim.output = 1;
  }
  return pool;
}

}  // namespace

TESSERA_KERNEL(reduce_mean, cpu_nhwc) {
  return {.name = "nhwc",
          .supports = supports,
          .suits = internal::pool_suits,
          .prepare = [](const OpCall& call, const Formats&) {
            return internal::prepare_pixel_pool(call, whole_image(call));
          }};
}

}  // namespace tessera
