#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/images.h"

namespace tessera {
namespace {

struct Stage {
  int64_t out;
  int64_t kernel;
  int64_t stride;
  bool pooled;
};

Value build(const Scope& scope, Value x, const Attrs& options) {
  constexpr Stage kStages[] = {{64, 11, 4, true},
                               {128, 5, 1, true},
                               {192, 3, 1, false},
                               {256, 3, 1, false},
                               {256, 3, 1, true}};
  int index = 0;
  for (const Stage& stage : kStages) {
    const Scope part = scope / fmt::format("conv{}", ++index);
    x = conv2d(part, x,
               {.out = stage.out, .kernel = stage.kernel, .stride = stage.stride, .bias = true});
    x = activation(part, x, "relu");
    if (stage.pooled) x = max_pool(part, x, {.kernel = 3, .stride = 2});
  }
  x = flatten(scope, x);
  for (const char* name : {"fc1", "fc2"})
    x = activation(scope / name, dense(scope / name, x, 4096), "relu");
  return dense(scope / "fc3", x, internal::integer_option(options, "num_classes"));
}

/// The zoo's own rows for CIFAR-10; 224 gives the same shapes behind the first convolution.
Shape row_shape(const Attrs& /*options*/) {
  return {3, 227, 227};
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(alexnet) {
  using namespace tessera;
  return {.doc = "AlexNet: five convolutions with bias, two dense layers of 4096.",
          .options = {internal::classes_option(10)},
          .hub_names = {"alexnet"},
          .row_shape = row_shape,
          .transforms = internal::image_transforms(internal::kBothSides256, internal::kCifar227),
          .build = build};
}
