// Max and mean pools as kernels.
#pragma once

#include "tessera/graph/kernel.h"
#include "tessera/ops/cpu/nhwc/internal/pixels.h"

namespace tessera::internal {

/// `pool`: simd, threads, images and channels are filled in here.
std::unique_ptr<PreparedKernel> prepare_pixel_pool(const OpCall& call, PixelPool pool);

/// For the field of that name of pools' kernels.
Support pool_suits(const OpCall& call, const Formats& offered);

}  // namespace tessera::internal
