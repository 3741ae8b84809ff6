// The residual networks for CIFAR's 32×32 images, of the first paper on residual networks: three
// stages of blocks, shortcuts without parameters (option A).
#pragma once

#include "tessera/zoo/zoo.h"

namespace tessera::internal {

/// The network of `depth` = 6k + 2 layers that have weights; k blocks per stage.
ModelDef cifar_resnet_def(std::string_view doc, Value (*build)(const Scope&, Value, const Attrs&));
Value cifar_resnet(const Scope& scope, Value x, int64_t depth, const Attrs& options);

}  // namespace tessera::internal
