#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/cifar_resnet.h"

namespace tessera {
namespace {

Value build(const Scope& scope, Value x, const Attrs& options) {
  return internal::cifar_resnet(scope, x, 20, options);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(resnet20) {
  return tessera::internal::cifar_resnet_def(
      "ResNet-20 for CIFAR's 32×32 images: nine blocks, shortcuts without parameters.",
      tessera::build);
}
