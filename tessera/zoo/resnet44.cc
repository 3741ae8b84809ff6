#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/cifar_resnet.h"

namespace tessera {
namespace {

Value build(const Scope& scope, Value x, const Attrs& options) {
  return internal::cifar_resnet(scope, x, 44, options);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(resnet44) {
  return tessera::internal::cifar_resnet_def(
      "ResNet-44 for CIFAR's 32×32 images: 21 blocks, shortcuts without parameters.",
      tessera::build);
}
