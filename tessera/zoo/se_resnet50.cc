#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/resnet.h"

namespace tessera {
namespace {

/// Normal numbers that are cut at two sigma and then have the variance 1 / fan in.
Initializer cut_normal() {
  constexpr double kSigma = 1 / 0.87962566103423978;
  Initializer init = truncated_normal(kSigma, 0, -2 * kSigma, 2 * kSigma);
  init.fan = Fan::kIn;
  return init;
}

Value convolve(const Scope& scope, Value x, Conv2dOptions conv) {
  conv.weight_init = cut_normal();
  return conv2d(scope, x, conv);
}

DenseOptions small() {
  return {.weight_init = truncated_normal(0.01, 0, -0.02, 0.02), .bias_init = zeros()};
}

Value norm(const Scope& scope, Value x) {
  return batch_norm(scope, x, 1e-4);
}

/// Squeeze and excitation: x times one factor in (0,1) per channel, from the means of all channels.
Value excite(const Scope& scope, Value x) {
  const Shape shape = x.shape();
  Value y = global_avg_pool(scope, x);
  y = activation(scope, dense(scope / "se_dense_0", y, shape[1] / 4, small()), "relu");
  y = activation(scope, dense(scope / "se_dense_1", y, shape[1], small()), "sigmoid");
  y = scope.emit("reshape", {y}, {{"shape", Ints{shape[0], shape[1], 1, 1}}});
  return mul(scope, x, y);
}

Value halve(const Scope& scope, Value x) {
  return max_pool(scope, x, {.kernel = 2, .stride = 2, .pad_mode = "same"});
}

/// The middle of a bottleneck; where it strides, a pool does it and the layers are one cell "e2".
Value middle(const Scope& scope, Value x, int64_t out, bool pooled) {
  const Scope conv = pooled ? scope / "e2" / "0" : scope / "conv2";
  const Scope normed = pooled ? scope / "e2" / "1" : scope / "bn2";
  x = convolve(conv, x, {.out = out, .kernel = 3});
  x = activation(normed, norm(normed, x), "relu");
  return pooled ? halve(scope / "e2", x) : x;
}

Value shortcut(const Scope& scope, Value x, const internal::BlockPlace& place) {
  if (place.stride == 1 && x.shape()[1] == place.out) return x;
  const bool pooled = place.stride != 1;
  if (pooled) x = halve(scope, x);
  x = convolve(scope / (pooled ? "1" : "0"), x, {.out = place.out});
  return norm(scope / (pooled ? "2" : "1"), x);
}

/// Only the last block of the last two stages excites.
Value block(const Scope& scope, Value x, const internal::BlockPlace& place) {
  const int64_t inner = place.out / 4;
  Value y = norm(scope / "bn1", convolve(scope / "conv1", x, {.out = inner}));
  y = middle(scope, activation(scope, y, "relu"), inner, place.stride != 1);
  y = norm(scope / "bn3", convolve(scope / "conv3", y, {.out = place.out}));
  if (place.last && place.stage >= 2) y = excite(scope, y);
  return activation(scope, add(scope, y, shortcut(scope / "down_sample_layer", x, place)), "relu");
}

Value build(const Scope& scope, Value x, const Attrs& options) {
  const auto stem = [&](std::string_view conv, std::string_view normed, int64_t out,
                        int64_t stride) {
    x = convolve(scope / conv, x, {.out = out, .kernel = 3, .stride = stride});
    x = activation(scope / normed, norm(scope / normed, x), "relu");
  };
  stem("conv1_0", "bn1_0", 32, 2);
  stem("conv1_1", "bn1_1", 32, 1);
  stem("conv1_2", "bn1", 64, 1);
  x = max_pool(scope, x, {.kernel = 3, .stride = 2, .pad_mode = "same"});
  x = internal::residual_stages(scope, x, {{3, 4, 6, 3}, 256, block});
  return internal::resnet_end(scope, x, options, small().weight_init);
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(se_resnet50) {
  using namespace tessera;
  // Larger than others, and no deviation.
  constexpr std::string_view kPhoto =
      "resize(292) center_crop(256) normalize([123.68,116.78,103.94],[1,1,1]) to_chw";
  return {.doc =
              "SE-ResNet-50: a stem of three convolutions, strides by pooling, squeeze and "
              "excitation in the last block of the last two stages.",
          .options = {internal::classes_option(1001)},
          .hub_names = {"se_resnet50", "resnet50se"},
          .hub_rules = {internal::kImagenet1001},
          .row_shape = internal::photo_shape,
          .transforms = internal::image_transforms(kPhoto),
          .build = build};
}
