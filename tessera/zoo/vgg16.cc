#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/images.h"

namespace tessera {
namespace {

/// A SequentialCell: every layer has the next number, those without parameters too.
Value build(const Scope& scope, Value x, const Attrs& options) {
  const bool norms = std::get<bool>(options.find("batch_norm")->second);
  const bool bias = std::get<bool>(options.find("bias")->second);
  const Scope layers = scope / "layers";
  int64_t index = 0;
  const auto next = [&] { return layers / std::to_string(index++); };
  for (const Ints& widths :
       {Ints{64, 64}, Ints{128, 128}, Ints(3, 256), Ints(3, 512), Ints(3, 512)}) {
    for (const int64_t width : widths) {
      x = conv2d(next(), x,
                 {.out = width, .kernel = 3, .bias = bias, .weight_init = xavier_uniform()});
      if (norms) x = batch_norm(next(), x);
      x = activation(next(), x, "relu");
    }
    x = max_pool(next(), x, {.kernel = 2, .stride = 2});
  }
  x = flatten(scope, x);
  const Scope classifier = scope / "classifier";  // with relu and dropout between the layers
  for (const char* layer : {"0", "3"})
    x = activation(classifier / layer, dense(classifier / layer, x, 4096), "relu");
  return dense(classifier / "6", x, internal::integer_option(options, "num_classes"));
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(vgg16) {
  using namespace tessera;
  // What MindSpore's zoo trains and evaluates with on CIFAR-10: its means stand in the order blue,
  // green, red.
  constexpr std::string_view kCifar =
      "resize(224,224) rescale(1/255) normalize([0.4465,0.4822,0.4914],[0.2010,0.1994,0.2023]) "
      "to_chw";
  return {
      .doc =
          "VGG-16: thirteen 3×3 convolutions in five stages, two dense layers of 4096. As trained "
          "on CIFAR-10; the ImageNet weights are vgg16(batch_norm=false,bias=true).",
      .options = {internal::classes_option(10),
                  {"batch_norm", true, "whether norms follow the convolutions"},
                  {"bias", false, "whether the convolutions have a bias"}},
      .hub_names = {"vgg16"},
      .hub_rules = {{"_bn_", "", 0, "batch_norm=true"},
                    {"", "imagenet", 0, "batch_norm=false,bias=true"}},
      .row_shape = internal::photo_shape,
      .transforms = internal::image_transforms(internal::kBothSides256, kCifar),
      .build = build};
}
