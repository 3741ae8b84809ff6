#include <array>

#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/images.h"

namespace tessera {
namespace {

constexpr int64_t kGrowth = 32;  // channels that every layer adds

Value convolve(const Scope& scope, Value x, Conv2dOptions conv) {
  conv.weight_init = he_normal({.fan = Fan::kOut});
  return conv2d(scope, x, conv);
}

Value norm_relu(const Scope& scope, Value x) {
  return activation(scope, batch_norm(scope, x), "relu");
}

Value dense_layer(const Scope& scope, Value x) {
  Value y = convolve(scope / "conv1", norm_relu(scope / "norm1", x), {.out = 4 * kGrowth});
  y = norm_relu(scope / "norm2", y);
  y = convolve(scope / "conv2", y, {.out = kGrowth, .kernel = 3});
  return concat(scope, std::array{x, y});
}

/// Half the channels, half the rows and columns: MindSpore's zoo takes the largest elements here,
/// torchvision the means.
Value transition(const Scope& scope, Value x, bool means) {
  x = norm_relu(scope / "norm", x);
  x = convolve(scope / "conv", x, {.out = x.shape()[1] / 2});
  const PoolOptions pool{.kernel = 2, .stride = 2};
  return means ? avg_pool(scope / "pool", x, pool) : max_pool(scope / "pool", x, pool);
}

Value build(const Scope& scope, Value x, const Attrs& options) {
  const bool torchvision = internal::is_torchvision(options);
  constexpr std::array<int64_t, 4> kDepths{6, 12, 24, 16};
  const Scope features = scope / "backbone" / "features";
  x = convolve(features / "conv0", x,
               {.out = 2 * kGrowth, .kernel = 7, .stride = 2, .pad_mode = "pad", .padding = 3});
  x = norm_relu(features / "norm0", x);
  x = internal::photo_pool(features / "pool0", x, torchvision);
  for (size_t i = 0; i < kDepths.size(); ++i) {
    if (i > 0)
      x = transition(features / fmt::format("transition{}", i) / "features", x, torchvision);
    const Scope layers = features / fmt::format("denseblock{}", i + 1) / "cell_list";
    for (int64_t j = 0; j < kDepths[i]; ++j) x = dense_layer(layers / std::to_string(j), x);
  }
  x = norm_relu(features / "norm5", x);
  return dense(scope / "head" / "fc", global_avg_pool(scope / "head", x),
               internal::integer_option(options, "num_classes"), {.bias_init = zeros()});
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(densenet121) {
  using namespace tessera;
  return {.doc = "DenseNet-121: four blocks whose layers read all layers before them.",
          .options = {internal::classes_option(1000),
                      internal::variant_option("torchvision: transitions take means, padding on "
                                               "both sides of the first pool")},
          .hub_names = {"densenet121"},
          .row_shape = internal::photo_shape,
          .transforms = internal::image_transforms(internal::kBothSides256),
          .build = build};
}
