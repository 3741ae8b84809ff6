#include "tessera/zoo/internal/images.h"

namespace tessera::internal {

AttrDef classes_option(int64_t count) {
  return {"num_classes", count, "width of the last layer"};
}

int64_t integer_option(const Attrs& options, std::string_view name) {
  return std::get<int64_t>(options.find(name)->second);
}

Shape photo_shape(const Attrs& /*options*/) {
  return {3, 224, 224};
}

std::vector<DefaultTransforms> photo_transforms(int64_t cifar_side) {
  constexpr std::string_view kPhoto =
      "resize(256) center_crop(224) "
      "normalize([0.485*255,0.456*255,0.406*255],[0.229*255,0.224*255,0.225*255]) to_chw";
  constexpr std::string_view kCifar224 =
      "resize(224,224) rescale(1/255) normalize([0.4914,0.4822,0.4465],[0.2023,0.1994,0.2010]) "
      "to_chw";
  constexpr std::string_view kCifar227 =
      "resize(227,227) rescale(1/255) normalize([0.4914,0.4822,0.4465],[0.2023,0.1994,0.2010]) "
      "to_chw";
  const std::string_view cifar = cifar_side == 227 ? kCifar227 : kCifar224;
  return {{"image", kPhoto}, {"folder", kPhoto}, {"cifar10", cifar}, {"cifar100", cifar}};
}

}  // namespace tessera::internal
