#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/resnet.h"

namespace tessera {
namespace {

constexpr int64_t kGroups = 32;

Value convolve(const Scope& scope, Value x, Conv2dOptions conv) {
  conv.weight_init = he_normal({.fan = Fan::kOut});
  return conv2d(scope, x, conv);
}

/// The 3×3 convolution of a block, 32 groups. MindSpore's zoo keeps one weight per group where it
/// runs on Ascend: "convs.0.weight" to "convs.31.weight".
Value grouped(const Scope& scope, Value x, int64_t stride, bool split) {
  const int64_t channels = x.shape()[1];
  const Initializer init = he_normal({.fan = Fan::kOut});
  if (!split) {
    return conv2d(scope, x,
                  {.out = channels,
                   .kernel = 3,
                   .stride = stride,
                   .pad_mode = "pad",
                   .padding = 1,
                   .groups = kGroups,
                   .weight_init = init});
  }
  const int64_t each = channels / kGroups;
  std::vector<Value> parts;
  for (int64_t i = 0; i < kGroups; ++i) {
    const Scope part = scope / "convs" / std::to_string(i);
    parts.push_back(part.parameter("weight", {each, each, 3, 3}, init));
  }
  return scope.emit("conv2d", {x, concat(scope, parts, 0)},
                    {{"stride", Ints{stride, stride}},
                     {"pad_mode", "pad"},
                     {"padding", Ints(4, 1)},
                     {"groups", kGroups}});
}

Value shortcut(const Scope& scope, Value x, const internal::BlockPlace& place) {
  if (place.stride == 1 && x.shape()[1] == place.out) return x;
  x = convolve(scope / "conv", x, {.out = place.out, .stride = place.stride});
  return batch_norm(scope / "bn", x);
}

Value add_block(const Scope& scope, Value x, const internal::BlockPlace& place, bool split) {
  const auto norm = [&](std::string_view name, Value y) { return batch_norm(scope / name, y); };
  Value y = norm("bn1", convolve(scope / "conv1", x, {.out = place.out / 2}));
  y = grouped(scope / "conv2", activation(scope, y, "relu"), place.stride, split);
  y = activation(scope, norm("bn2", y), "relu");
  y = norm("bn3", convolve(scope / "conv3", y, {.out = place.out}));
  return activation(scope, add(scope, y, shortcut(scope / "down_sample", x, place)), "relu");
}

Value one_block(const Scope& scope, Value x, const internal::BlockPlace& place) {
  return add_block(scope, x, place, false);
}
Value split_block(const Scope& scope, Value x, const internal::BlockPlace& place) {
  return add_block(scope, x, place, true);
}

Value build(const Scope& scope, Value x, const Attrs& options) {
  const bool split = std::get<bool>(options.find("split_groups")->second);
  const Scope backbone = scope / "backbone";
  x = convolve(backbone / "conv", x,
               {.out = 64, .kernel = 7, .stride = 2, .pad_mode = "pad", .padding = 3});
  x = activation(backbone, batch_norm(backbone / "bn", x), "relu");
  x = internal::photo_pool(backbone, x, internal::is_torchvision(options));
  x = internal::residual_stages(backbone, x, {{3, 4, 6, 3}, 256, split ? split_block : one_block});
  return dense(scope / "head" / "fc", global_avg_pool(scope / "head", x),
               internal::integer_option(options, "num_classes"), {.bias_init = zeros()});
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(resnext50) {
  using namespace tessera;
  return {.doc = "ResNeXt-50 (32 groups of 4): ResNet-50 with wider, grouped 3×3 convolutions.",
          .options = {internal::classes_option(1000),
                      {"split_groups", false,
                       "whether every group has a weight of its own, as in checkpoints trained on "
                       "Ascend"},
                      internal::variant_option("torchvision: padding on both sides of the pool")},
          .hub_names = {"resnext50"},
          .row_shape = internal::photo_shape,
          .transforms = internal::image_transforms(internal::kBothSides256),
          .build = build};
}
