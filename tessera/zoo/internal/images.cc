#include "tessera/zoo/internal/images.h"

#include "tessera/base/text.h"
#include "tessera/nn/layers.h"

namespace tessera::internal {

AttrDef classes_option(int64_t count) {
  return {"num_classes", count, "width of the last layer"};
}

int64_t integer_option(const Attrs& options, std::string_view name) {
  return std::get<int64_t>(options.find(name)->second);
}

AttrDef variant_option(std::string_view doc) {
  return {"variant", std::string("mindspore"), doc};
}

bool is_torchvision(const Attrs& options) {
  const auto& variant = std::get<std::string>(options.find("variant")->second);
  require(variant == "mindspore" || variant == "torchvision",
          "variant '{}' is none of mindspore, torchvision", printable(variant));
  return variant == "torchvision";
}

Value photo_pool(const Scope& scope, Value x, bool symmetric) {
  return max_pool(scope, x,
                  {.kernel = 3,
                   .stride = 2,
                   .pad_mode = symmetric ? "pad" : "same",
                   .padding = symmetric ? 1 : 0});
}

Shape photo_shape(const Attrs& /*options*/) {
  return {3, 224, 224};
}

std::vector<DefaultTransforms> image_transforms(std::string_view photo, std::string_view cifar) {
  return {{"image", photo}, {"folder", photo}, {"cifar10", cifar}, {"cifar100", cifar}};
}

}  // namespace tessera::internal
