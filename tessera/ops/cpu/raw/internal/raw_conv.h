// Convolutions of few pixels by large weights, for programs that run once: dots of windows and
// weights as they are stored. Dense layers are convolutions of one pixel.
#pragma once

#include "tessera/graph/kernel.h"
#include "tessera/ops/cpu/nhwc/internal/window_conv.h"

namespace tessera::internal {

/// Yes where reading the weights once more to pack them would take longer than it saves in one run.
Support raw_supports(const Shape& weight, int64_t pixels);
std::unique_ptr<PreparedKernel> prepare_raw_conv(const OpCall& call, const WindowConv& conv);

/// `weights` [o][i,h,w], `scale` [o]; conv.in_is_plain and conv.pairs are false.
void run_raw_conv(const WindowConv& conv, const float* in, const float* weights, const float* scale,
                  float* out);

}  // namespace tessera::internal
