// What the networks that read colour photographs share: their options, rows and transforms.
#pragma once

#include "tessera/zoo/zoo.h"

namespace tessera::internal {

/// The option num_classes with the default that MindSpore's model zoo gives the network.
AttrDef classes_option(int64_t count);
int64_t integer_option(const Attrs& options, std::string_view name);

/// [3,224,224].
Shape photo_shape(const Attrs& options);

/// The recipes that MindSpore's model zoo evaluates with: photographs as ImageNet's, and CIFAR's
/// images made as large as photographs (`cifar_side` square).
std::vector<DefaultTransforms> photo_transforms(int64_t cifar_side = 224);

}  // namespace tessera::internal
