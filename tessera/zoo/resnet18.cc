#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/resnet.h"

namespace tessera {
namespace {

Value build(const Scope& scope, Value x, const Attrs& options) {
  x = internal::resnet_stem(scope, x);
  x = internal::residual_stages(scope, x, {2, 2, 2, 2}, 64, internal::basic_block);
  return internal::resnet_end(scope, x, options);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(resnet18) {
  return tessera::internal::resnet_def("ResNet-18: eight blocks of two 3×3 convolutions.", 10,
                                       tessera::build);
}
