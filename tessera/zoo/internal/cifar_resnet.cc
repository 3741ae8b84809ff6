#include "tessera/zoo/internal/cifar_resnet.h"

#include "tessera/nn/layers.h"
#include "tessera/zoo/internal/images.h"

namespace tessera::internal {
namespace {

/// Option A: every second row and column, and channels of zeros on both sides.
Value shortcut(const Scope& scope, Value x, int64_t out, int64_t stride) {
  const Shape shape = x.shape();
  if (stride == 1 && shape[1] == out) return x;
  x = scope.emit("slice", {x},
                 {{"begin", Ints(4, 0)},
                  {"end", Ints(shape.begin(), shape.end())},
                  {"strides", Ints{1, 1, stride, stride}}});
  const int64_t more = (out - shape[1]) / 2;
  return scope.emit("pad", {x}, {{"paddings", Ints{0, 0, more, more, 0, 0, 0, 0}}});
}

Value block(const Scope& scope, Value x, int64_t out, int64_t stride) {
  const auto conv = [&](std::string_view name, Value y, int64_t step) {
    return conv2d(scope / name, y,
                  {.out = out,
                   .kernel = 3,
                   .stride = step,
                   .pad_mode = "pad",
                   .padding = 1,
                   .weight_init = he_normal()});
  };
  Value y = batch_norm(scope / "bn1", conv("conv1", x, stride));
  y = batch_norm(scope / "bn2", conv("conv2", activation(scope, y, "relu"), 1));
  return activation(scope, add(scope, y, shortcut(scope, x, out, stride)), "relu");
}

Shape row_shape(const Attrs& /*options*/) {
  return {3, 32, 32};
}

}  // namespace

Value cifar_resnet(const Scope& scope, Value x, int64_t depth, const Attrs& options) {
  x = conv2d(scope / "conv1", x,
             {.out = 16, .kernel = 3, .pad_mode = "pad", .padding = 1, .weight_init = he_normal()});
  x = activation(scope, batch_norm(scope / "bn1", x), "relu");
  for (int64_t stage = 0; stage < 3; ++stage) {
    const Scope layer = scope / fmt::format("layer{}", stage + 1);
    for (int64_t i = 0; i < (depth - 2) / 6; ++i)
      x = block(layer / std::to_string(i), x, int64_t{16} << stage, stage > 0 && i == 0 ? 2 : 1);
  }
  return dense(scope / "linear", global_avg_pool(scope, x), integer_option(options, "num_classes"),
               {.weight_init = he_normal()});
}

ModelDef cifar_resnet_def(std::string_view doc, Value (*build)(const Scope&, Value, const Attrs&)) {
  constexpr std::string_view kCifar =
      "rescale(1/255) normalize([0.485,0.456,0.406],[0.229,0.224,0.225]) to_chw";
  constexpr std::string_view kImage =
      "resize(32,32) rescale(1/255) normalize([0.485,0.456,0.406],[0.229,0.224,0.225]) to_chw";
  return {.doc = doc,
          .options = {classes_option(10)},
          .row_shape = row_shape,
          .transforms = {{"cifar10", kCifar},
                         {"cifar100", kCifar},
                         {"image", kImage},
                         {"folder", kImage}},
          .build = build};
}

}  // namespace tessera::internal
