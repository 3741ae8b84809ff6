#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/resnet.h"

namespace tessera {
namespace {

Value build(const Scope& scope, Value x, const Attrs& options) {
  return internal::resnet(scope, x, {{3, 4, 6, 3}, 256, internal::bottleneck_block}, options);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(resnet50) {
  using namespace tessera;
  ModelDef model = internal::resnet_def(
      "ResNet-50: sixteen bottleneck blocks, the stride in their 3×3 convolution.", 10, build);
  model.hub_names = {"resnet50", "resnet50_thor"};
  model.hub_rules = {internal::kImagenet1001};
  return model;
}
