// Convolutions of few pixels by large weights, for programs that run once, from weights as they are
// stored: of very few pixels dots of windows and weights, of more each panel is packed as it is
// wanted. Dense layers are convolutions of one pixel.
#pragma once

#include "tessera/graph/kernel.h"
#include "tessera/ops/cpu/nhwc/internal/packed_weights.h"
#include "tessera/ops/cpu/nhwc/internal/window_conv.h"

namespace tessera::internal {

/// Yes where reading the weights once more to pack them would take longer than it saves in one run.
Support raw_supports(const Shape& weight, int64_t pixels);
/// `packing`: kTiles, or Winograd's for conv2d that it suits.
std::unique_ptr<PreparedKernel> prepare_raw_conv(const OpCall& call, const WindowConv& conv,
                                                 Packing packing);

/// conv.in_is_plain and conv.pairs are false.
void run_raw_conv(const WindowConv& conv, const float* in, const RawWeights& raw, float* out);

}  // namespace tessera::internal
