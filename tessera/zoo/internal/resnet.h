// The residual networks of MindSpore's model zoo: a stem, four stages of blocks, the mean of every
// channel, and the dense layer end_point.
#pragma once

#include <array>

#include "tessera/zoo/internal/images.h"

namespace tessera::internal {

/// Which block of a network it is.
struct BlockPlace {
  size_t stage = 0;   // from 0
  bool last = false;  // of its stage
  int64_t out = 0;    // channels
  int64_t stride = 1;
};
/// Adds one block: x -> relu(f(x) + x), x by a 1×1 convolution where the shapes differ.
using ResidualBlock = Value (*)(const Scope& scope, Value x, const BlockPlace& place);

/// 3×3 with the stride, 3×3; its norms are called bn1d and bn2d.
Value basic_block(const Scope& scope, Value x, const BlockPlace& place);
/// 1×1, 3×3 with the stride, 1×1; a quarter of the channels inside.
Value bottleneck_block(const Scope& scope, Value x, const BlockPlace& place);

/// How many blocks the four stages have.
using Depths = std::array<int64_t, 4>;

/// Stages "layer1" to "layer4", the mean and "end_point": the first stage has `width` channels and
/// no stride, every next one twice the channels and half the rows and columns.
Value residual_stages(const Scope& scope, Value x, const Depths& depths, int64_t width,
                      ResidualBlock block);

/// The usual stem: a 7×7 convolution and max pooling, a quarter of the rows and columns.
Value resnet_stem(const Scope& scope, Value x);

/// Normalises as these networks do.
Value resnet_norm(const Scope& scope, Value x);

/// The mean of every channel and the dense layer "end_point".
Value resnet_end(const Scope& scope, Value x, const Attrs& options);

/// Options, rows and transforms of a network that `build` adds.
ModelDef resnet_def(std::string_view doc, int64_t classes,
                    Value (*build)(const Scope&, Value, const Attrs&));

}  // namespace tessera::internal
