// What the networks that read colour photographs share: their options, rows and transforms.
#pragma once

#include "tessera/zoo/zoo.h"

namespace tessera::internal {

/// The option num_classes with the default that MindSpore's model zoo gives the network.
AttrDef classes_option(int64_t count);
int64_t integer_option(const Attrs& options, std::string_view name);

/// The option "variant": "mindspore", or "torchvision" for weights that were trained there. `doc`
/// says what the latter changes.
AttrDef variant_option(std::string_view doc);
/// Throws kInvalidArgument where the variant is neither.
bool is_torchvision(const Attrs& options);

/// The 3×3 max pool with stride 2 behind the first convolution: with padding where pad_mode "same"
/// puts it, or with 1 on all sides.
Value photo_pool(const Scope& scope, Value x, bool symmetric);

/// [3,224,224].
Shape photo_shape(const Attrs& options);

/// How MindSpore's model zoo prepares ImageNet's photographs for evaluation: either the shorter
/// side or both are made 256, then the middle is cropped out.
inline constexpr std::string_view kShortSide256 =
    "resize(256) center_crop(224) "
    "normalize([0.485*255,0.456*255,0.406*255],[0.229*255,0.224*255,0.225*255]) to_chw";
inline constexpr std::string_view kBothSides256 =
    "resize(256,256) center_crop(224) "
    "normalize([0.485*255,0.456*255,0.406*255],[0.229*255,0.224*255,0.225*255]) to_chw";

/// CIFAR's images, made as large as photographs.
inline constexpr std::string_view kCifar224 =
    "resize(224,224) rescale(1/255) normalize([0.4914,0.4822,0.4465],[0.2023,0.1994,0.2010]) "
    "to_chw";
inline constexpr std::string_view kCifar227 =
    "resize(227,227) rescale(1/255) normalize([0.4914,0.4822,0.4465],[0.2023,0.1994,0.2010]) "
    "to_chw";

/// `photo` for pictures and folders of them, `cifar` for CIFAR-10 and -100.
std::vector<DefaultTransforms> image_transforms(std::string_view photo,
                                                std::string_view cifar = kCifar224);

}  // namespace tessera::internal
