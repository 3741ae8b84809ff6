#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/resnet.h"

namespace tessera {
namespace {

Value build(const Scope& scope, Value x, const Attrs& options) {
  return internal::resnet(scope, x, {{3, 4, 23, 3}, 256, internal::bottleneck_block}, options);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(resnet101) {
  using namespace tessera;
  ModelDef model = internal::resnet_def(
      "ResNet-101: 33 bottleneck blocks, the stride in their 3×3 convolution.", 1001, build);
  model.hub_names = {"resnet101"};
  // Trained with means and deviations of its own.
  model.transforms = internal::image_transforms(
      "resize(256) center_crop(224) "
      "normalize([0.475*255,0.451*255,0.392*255],[0.275*255,0.267*255,0.278*255]) to_chw");
  model.hub_rules = {internal::kImagenet1001};
  return model;
}
