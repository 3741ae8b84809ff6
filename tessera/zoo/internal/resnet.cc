#include "tessera/zoo/internal/resnet.h"

#include "tessera/base/text.h"
#include "tessera/nn/layers.h"

namespace tessera::internal {
namespace {

struct Conv {
  int64_t out = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
};

Value convolve(const Scope& scope, Value x, const Conv& conv, const ResNetStyle& style) {
  return conv2d(scope, x,
                {.out = conv.out,
                 .kernel = conv.kernel,
                 .stride = conv.stride,
                 .pad_mode = style.symmetric ? "pad" : "same",
                 .padding = style.symmetric ? conv.kernel / 2 : 0,
                 .weight_init = he_normal({.fan = Fan::kOut})});
}

Value norm_relu(const Scope& scope, Value x, double epsilon) {
  return activation(scope, batch_norm(scope, x, epsilon), "relu");
}

/// What the block's result is added to.
Value shortcut(const Scope& scope, Value x, const BlockPlace& place) {
  if (place.stride == 1 && x.shape()[1] == place.out) return x;
  x = convolve(scope / "0", x, {.out = place.out, .stride = place.stride}, place.style);
  return batch_norm(scope / "1", x, place.style.shortcut_epsilon);
}

Value stem(const Scope& scope, Value x, const ResNetStyle& style) {
  x = convolve(scope / "conv1", x, {.out = 64, .kernel = 7, .stride = 2}, style);
  x = norm_relu(scope / "bn1", x, style.stem_epsilon);
  return photo_pool(scope, x, style.symmetric);
}

}  // namespace

ResNetStyle resnet_style(const Attrs& options) {
  const auto& variant = std::get<std::string>(options.find("variant")->second);
  if (variant == "mindspore") return {};
  if (variant == "res_base") return {true, 1e-5, 1e-4, 1e-5};
  if (variant == "torchvision") return {true, 1e-5, 1e-5, 1e-5};
  fail(ErrorCode::kInvalidArgument, "variant '{}' is none of mindspore, res_base, torchvision",
       printable(variant));
}

Value basic_block(const Scope& scope, Value x, const BlockPlace& place) {
  const ResNetStyle& style = place.style;
  Value y =
      convolve(scope / "conv1", x, {.out = place.out, .kernel = 3, .stride = place.stride}, style);
  y = norm_relu(scope / "bn1d", y, style.block_epsilon);
  y = convolve(scope / "conv2", y, {.out = place.out, .kernel = 3}, style);
  y = batch_norm(scope / "bn2d", y, style.block_epsilon);
  return activation(scope, add(scope, y, shortcut(scope / "down_sample_layer", x, place)), "relu");
}

Value bottleneck_block(const Scope& scope, Value x, const BlockPlace& place) {
  const ResNetStyle& style = place.style;
  const int64_t inner = place.out / 4;
  Value y = convolve(scope / "conv1", x, {.out = inner}, style);
  y = norm_relu(scope / "bn1", y, style.block_epsilon);
  y = convolve(scope / "conv2", y, {.out = inner, .kernel = 3, .stride = place.stride}, style);
  y = norm_relu(scope / "bn2", y, style.block_epsilon);
  y = convolve(scope / "conv3", y, {.out = place.out}, style);
  y = batch_norm(scope / "bn3", y, style.block_epsilon);
  return activation(scope, add(scope, y, shortcut(scope / "down_sample_layer", x, place)), "relu");
}

Value residual_stages(const Scope& scope, Value x, const ResNetPlan& plan,
                      const ResNetStyle& style) {
  for (size_t stage = 0; stage < plan.depths.size(); ++stage) {
    const Scope layer = scope / fmt::format("layer{}", stage + 1);
    for (int64_t i = 0; i < plan.depths[stage]; ++i)
      x = plan.block(layer / std::to_string(i), x,
                     {.stage = stage,
                      .last = i + 1 == plan.depths[stage],
                      .out = plan.width << stage,
                      .stride = stage > 0 && i == 0 ? 2 : 1,
                      .style = style});
  }
  return x;
}

Value resnet_end(const Scope& scope, Value x, const Attrs& options,
                 const Initializer& weight_init) {
  return dense(scope / "end_point", global_avg_pool(scope, x),
               integer_option(options, "num_classes"),
               {.weight_init = weight_init, .bias_init = zeros()});
}

Value resnet(const Scope& scope, Value x, const ResNetPlan& plan, const Attrs& options) {
  const ResNetStyle style = resnet_style(options);
  x = residual_stages(scope, stem(scope, x, style), plan, style);
  return resnet_end(scope, x, options);
}

ModelDef resnet_def(std::string_view doc, int64_t classes,
                    Value (*build)(const Scope&, Value, const Attrs&)) {
  return {.doc = doc,
          .options = {classes_option(classes),
                      variant_option("arithmetic: mindspore; res_base (MindSpore's ResNet-18 and "
                                     "-34 of 2021 and later); torchvision")},
          .row_shape = photo_shape,
          .transforms = image_transforms(kShortSide256),
          .build = build};
}

}  // namespace tessera::internal
