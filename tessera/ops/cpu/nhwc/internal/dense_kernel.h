// Products with constant weights as a kernel, whichever way the weights are packed.
#pragma once

#include "tessera/ops/cpu/nhwc/internal/packed_weights.h"
#include "tessera/ops/cpu/nhwc/internal/window_conv.h"

namespace tessera::internal {

Support packed_dense_supports(const OpCall& call);
/// Rows are images of one pixel. Not filled in: bias and residual.
WindowConv dense_as_conv(const OpCall& call, Simd simd);
/// For calls that packed_dense_supports; kTiles or kPairs.
std::unique_ptr<PreparedKernel> prepare_packed_dense(const OpCall& call, Packing packing);

}  // namespace tessera::internal
