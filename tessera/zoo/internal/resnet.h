// The residual networks of MindSpore's model zoo: a stem, four stages of blocks, the mean of every
// channel, and the dense layer end_point.
#pragma once

#include <array>

#include "tessera/zoo/internal/images.h"

namespace tessera::internal {

/// MindSpore's zoo trains its ResNets on ImageNet with one class more than there are.
inline constexpr HubRule kImagenet1001{"", "imagenet", 0, "num_classes=1001"};
/// Those of basic blocks have been of another arithmetic since its version 1.2.
inline constexpr HubRule kResBase{"", "", 102, "variant=res_base"};

/// The arithmetic of the networks that share names and shapes.
struct ResNetStyle {
  bool symmetric = false;  // padding of convolutions and the pool: half the kernel on all sides,
                           // not what pad_mode "same" makes of it
  double stem_epsilon = 1e-4;
  double block_epsilon = 1e-4;
  double shortcut_epsilon = 1e-4;
};
/// What the option "variant" says, which is among the options of resnet_def. Throws
/// kInvalidArgument.
ResNetStyle resnet_style(const Attrs& options);

/// Which block of a network it is.
struct BlockPlace {
  size_t stage = 0;   // from 0
  bool last = false;  // of its stage
  int64_t out = 0;    // channels
  int64_t stride = 1;
  ResNetStyle style = {};
};
/// Adds one block: x -> relu(f(x) + x), x by a 1×1 convolution where the shapes differ.
using ResidualBlock = Value (*)(const Scope& scope, Value x, const BlockPlace& place);

/// 3×3 with the stride, 3×3; its norms are called bn1d and bn2d.
Value basic_block(const Scope& scope, Value x, const BlockPlace& place);
/// 1×1, 3×3 with the stride, 1×1; a quarter of the channels inside.
Value bottleneck_block(const Scope& scope, Value x, const BlockPlace& place);

/// How many blocks the four stages have.
using Depths = std::array<int64_t, 4>;

/// Four stages of blocks: the first has `width` channels and no stride, every next one twice the
/// channels and half the rows and columns.
struct ResNetPlan {
  Depths depths = {};
  int64_t width = 0;
  ResidualBlock block = nullptr;
};
/// Adds the stages "layer1" to "layer4".
Value residual_stages(const Scope& scope, Value x, const ResNetPlan& plan,
                      const ResNetStyle& style = {});

/// The mean of every channel and the dense layer "end_point".
Value resnet_end(const Scope& scope, Value x, const Attrs& options,
                 const Initializer& weight_init = default_weight_init());

/// A network of the usual stem (a 7×7 convolution and max pooling), the stages and the end.
Value resnet(const Scope& scope, Value x, const ResNetPlan& plan, const Attrs& options);

/// Options, rows and transforms of a network that calls resnet().
ModelDef resnet_def(std::string_view doc, int64_t classes,
                    Value (*build)(const Scope&, Value, const Attrs&));

}  // namespace tessera::internal
