#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/resnet.h"

namespace tessera {
namespace {

Value build(const Scope& scope, Value x, const Attrs& options) {
  x = internal::resnet_stem(scope, x);
  x = internal::residual_stages(scope, x, {3, 4, 23, 3}, 256, internal::bottleneck_block);
  return internal::resnet_end(scope, x, options);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(resnet101) {
  return tessera::internal::resnet_def(
      "ResNet-101: 33 bottleneck blocks, the stride in their 3×3 convolution.", 1001,
      tessera::build);
}
