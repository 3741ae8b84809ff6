#include <array>

#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/images.h"

namespace tessera {
namespace {

Value conv_relu(const Scope& scope, Value x, Conv2dOptions conv) {
  conv.bias = true;
  conv.bias_init = zeros();
  return activation(scope, conv2d(scope, x, conv), "relu");
}

struct Fire {
  int64_t squeeze;
  int64_t expand;  // channels of either half
  bool pooled;     // before it
};

Value fire(const Scope& scope, Value x, const Fire& widths) {
  x = conv_relu(scope / "squeeze", x, {.out = widths.squeeze, .weight_init = he_uniform()});
  const Value one =
      conv_relu(scope / "expand1x1", x, {.out = widths.expand, .weight_init = he_uniform()});
  const Value three = conv_relu(scope / "expand3x3", x,
                                {.out = widths.expand, .kernel = 3, .weight_init = he_uniform()});
  return concat(scope, std::array{one, three});
}

Value pool(const Scope& scope, Value x, bool ceil_mode) {
  return max_pool(scope, x, {.kernel = 3, .stride = 2, .ceil_mode = ceil_mode});
}

Value stem(const Scope& scope, Value x) {
  return conv_relu(
      scope, x,
      {.out = 96, .kernel = 7, .stride = 2, .pad_mode = "valid", .weight_init = he_uniform()});
}

/// As a SequentialCell "features", or with names of its own and every second block added to what
/// it reads.
Value build(const Scope& scope, Value x, const Attrs& options) {
  constexpr Fire kFires[] = {{16, 64, true},   {16, 64, false},  {32, 128, false}, {32, 128, true},
                             {48, 192, false}, {48, 192, false}, {64, 256, false}, {64, 256, true}};
  const bool bypass = std::get<bool>(options.find("bypass")->second);
  const int64_t classes = internal::integer_option(options, "num_classes");
  const Scope features = scope / "features";
  x = stem(bypass ? scope / "conv1" : features / "0", x);
  int64_t index = 2;  // of the sequence, behind the first convolution and its relu
  for (size_t i = 0; i < std::size(kFires); ++i) {
    if (kFires[i].pooled) {
      x = pool(scope, x, internal::is_torchvision(options));
      ++index;
    }
    const Scope part =
        bypass ? scope / fmt::format("fire{}", i + 2) : features / std::to_string(index++);
    const Value y = fire(part, x, kFires[i]);
    x = bypass && i % 2 == 1 ? add(part, x, y) : y;
  }
  x = conv_relu(scope / (bypass ? "conv10" : "final_conv"), x,
                {.out = classes, .weight_init = normal(0.01)});
  return global_avg_pool(scope, x);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(squeezenet) {
  using namespace tessera;
  constexpr std::string_view kPhoto =
      "resize(256,256) center_crop(227) "
      "normalize([0.485*255,0.456*255,0.406*255],[0.229*255,0.224*255,0.225*255]) to_chw";
  return {
      .doc = "SqueezeNet 1.0: eight fire modules, no dense layer.",
      .options = {internal::classes_option(10),
                  {"bypass", false,
                   "whether every second module is added to what it reads; MindSpore's "
                   "squeezenet_residual"},
                  internal::variant_option("torchvision: pools keep what is left over at the end")},
      .hub_names = {"squeezenet", "squeezenet_residual"},
      .hub_rules = {{"residual", "", 0, "bypass=true"}},
      .row_shape =
          [](const Attrs&) {
            return Shape{3, 227, 227};
          },
      .transforms = internal::image_transforms(kPhoto, internal::kCifar227),
      .build = build};
}
