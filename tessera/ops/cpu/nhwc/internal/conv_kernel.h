// The convolution channels last as a kernel, whichever way its weights are packed.
#pragma once

#include "tessera/ops/cpu/nhwc/internal/packed_weights.h"
#include "tessera/ops/cpu/nhwc/internal/window_conv.h"
#include "tessera/ops/cpu/nhwc/internal/winograd.h"

namespace tessera::internal {

Support packed_conv_supports(const OpCall& call);
/// Not filled in: bias and residual.
WindowConv conv_of(const OpCall& call, Simd simd);
/// Which way takes the fewest cycles, by what a core does in one: two multiply-adds of a vector,
/// and a few bytes of weights from the cache that all cores share, where the weights of a network
/// lie. Winograd's are 1.8 or 4 times as many as the convolution's: few patches do not pay for
/// them. `packs_every_run`: weights are read as they are stored, and packed once more each time.
Packing fastest_packing(const OpCall& call, Simd simd, bool packs_every_run = false);
/// A convolution that may go by patches of `patch` results in a row.
WinogradConv winograd_of(const WindowConv& conv, int64_t patch);
/// For calls that packed_conv_supports.
std::unique_ptr<PreparedKernel> prepare_packed_conv(const OpCall& call, Packing packing);

}  // namespace tessera::internal
