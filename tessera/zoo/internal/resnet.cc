#include "tessera/zoo/internal/resnet.h"

#include "tessera/nn/layers.h"

namespace tessera::internal {
namespace {

/// What the block's result is added to.
Value shortcut(const Scope& scope, Value x, const BlockPlace& place) {
  if (place.stride == 1 && x.shape()[1] == place.out) return x;
  const Scope layer = scope / "down_sample_layer";
  x = conv2d(layer / "0", x, {.out = place.out, .stride = place.stride});
  return resnet_norm(layer / "1", x);
}

}  // namespace

Value resnet_norm(const Scope& scope, Value x) {
  return batch_norm(scope, x, 1e-4);
}

Value basic_block(const Scope& scope, Value x, const BlockPlace& place) {
  Value y = conv2d(scope / "conv1", x, {.out = place.out, .kernel = 3, .stride = place.stride});
  y = activation(scope, resnet_norm(scope / "bn1d", y), "relu");
  y = conv2d(scope / "conv2", y, {.out = place.out, .kernel = 3});
  y = resnet_norm(scope / "bn2d", y);
  return activation(scope, add(scope, y, shortcut(scope, x, place)), "relu");
}

Value bottleneck_block(const Scope& scope, Value x, const BlockPlace& place) {
  const int64_t inner = place.out / 4;
  Value y = conv2d(scope / "conv1", x, {.out = inner});
  y = activation(scope, resnet_norm(scope / "bn1", y), "relu");
  y = conv2d(scope / "conv2", y, {.out = inner, .kernel = 3, .stride = place.stride});
  y = activation(scope, resnet_norm(scope / "bn2", y), "relu");
  y = resnet_norm(scope / "bn3", conv2d(scope / "conv3", y, {.out = place.out}));
  return activation(scope, add(scope, y, shortcut(scope, x, place)), "relu");
}

Value residual_stages(const Scope& scope, Value x, const Depths& depths, int64_t width,
                      ResidualBlock block) {
  for (size_t stage = 0; stage < depths.size(); ++stage) {
    const Scope layer = scope / fmt::format("layer{}", stage + 1);
    for (int64_t i = 0; i < depths[stage]; ++i)
      x = block(layer / std::to_string(i), x,
                {.stage = stage,
                 .last = i + 1 == depths[stage],
                 .out = width << stage,
                 .stride = stage > 0 && i == 0 ? 2 : 1});
  }
  return x;
}

Value resnet_stem(const Scope& scope, Value x) {
  x = conv2d(scope / "conv1", x, {.out = 64, .kernel = 7, .stride = 2});
  x = activation(scope, resnet_norm(scope / "bn1", x), "relu");
  return max_pool(scope, x, {.kernel = 3, .stride = 2, .pad_mode = "same"});
}

Value resnet_end(const Scope& scope, Value x, const Attrs& options) {
  return dense(scope / "end_point", global_avg_pool(scope, x),
               integer_option(options, "num_classes"));
}

ModelDef resnet_def(std::string_view doc, int64_t classes,
                    Value (*build)(const Scope&, Value, const Attrs&)) {
  return {.doc = doc,
          .options = {classes_option(classes)},
          .row_shape = photo_shape,
          .transforms = photo_transforms(),
          .build = build};
}

}  // namespace tessera::internal
