#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/images.h"

namespace tessera {
namespace {

struct Layer {
  int64_t out = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t groups = 1;
};

/// Convolution, norm, relu6: a cell whose layers are called "features".
Value conv_block(const Scope& scope, Value x, const Layer& layer) {
  const Scope features = scope / "features";
  x = conv2d(features / "0", x,
             {.out = layer.out,
              .kernel = layer.kernel,
              .stride = layer.stride,
              .pad_mode = "pad",
              .padding = layer.kernel / 2,
              .groups = layer.groups,
              .weight_init = he_normal({.fan = Fan::kOut})});
  return activation(features / "2", batch_norm(features / "1", x), "relu6");
}

/// Widen by `expand`, convolve every channel alone, narrow to `out` without an activation.
Value inverted_residual(const Scope& scope, Value x, int64_t expand, const Layer& layer) {
  const Scope conv = scope / "conv";
  const int64_t inner = x.shape()[1] * expand;
  int64_t index = 0;
  const auto next = [&] { return conv / std::to_string(index++); };
  Value y = x;
  if (expand != 1) y = conv_block(next(), y, {.out = inner});
  y = conv_block(next(), y, {.out = inner, .kernel = 3, .stride = layer.stride, .groups = inner});
  y = conv2d(next(), y, {.out = layer.out, .weight_init = he_normal({.fan = Fan::kOut})});
  y = batch_norm(next(), y);
  return layer.stride == 1 && x.shape()[1] == layer.out ? add(scope, x, y) : y;
}

struct Stage {
  int64_t expand;
  int64_t out;
  int64_t count;
  int64_t stride;
};

Value build(const Scope& scope, Value x, const Attrs& options) {
  constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                               {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  const Scope features = scope / "features";
  int64_t index = 0;
  const auto next = [&] { return features / std::to_string(index++); };
  x = conv_block(next(), x, {.out = 32, .kernel = 3, .stride = 2});
  for (const Stage& stage : kStages)
    for (int64_t i = 0; i < stage.count; ++i)
      x = inverted_residual(next(), x, stage.expand,
                            {.out = stage.out, .stride = i == 0 ? stage.stride : 1});
  x = conv_block(next(), x, {.out = 1280});
  x = global_avg_pool(scope / "head" / "0", x);
  return dense(scope / "head" / "1", x, internal::integer_option(options, "num_classes"),
               {.weight_init = normal(0.01), .bias_init = zeros()});
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(mobilenet_v2) {
  using namespace tessera;
  return {.doc = "MobileNetV2: seventeen inverted residual blocks with depthwise convolutions.",
          .options = {internal::classes_option(1000)},
          .hub_names = {"mobilenetv2"},
          .row_shape = internal::photo_shape,
          .transforms = internal::image_transforms(internal::kBothSides256),
          .build = build};
}
