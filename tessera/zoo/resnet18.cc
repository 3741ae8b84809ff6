#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/resnet.h"

namespace tessera {
namespace {

Value build(const Scope& scope, Value x, const Attrs& options) {
  return internal::resnet(scope, x, {{2, 2, 2, 2}, 64, internal::basic_block}, options);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(resnet18) {
  using namespace tessera;
  ModelDef model =
      internal::resnet_def("ResNet-18: eight blocks of two 3×3 convolutions.", 10, build);
  model.hub_names = {"resnet18"};
  model.hub_rules = {internal::kImagenet1001, internal::kResBase};
  return model;
}
