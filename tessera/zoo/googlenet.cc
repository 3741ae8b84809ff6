#include <array>

#include "tessera/zoo/define_model.h"
#include "tessera/zoo/internal/images.h"

namespace tessera {
namespace {

/// Convolution, norm, relu.
Value conv_block(const Scope& scope, Value x, Conv2dOptions conv) {
  conv.weight_init = truncated_normal(0.02);
  x = conv2d(scope / "conv", x, conv);
  return activation(scope, batch_norm(scope / "bn", x, 1e-3), "relu");
}

Value pool(const Scope& scope, Value x, int64_t kernel, int64_t stride) {
  return max_pool(scope, x, {.kernel = kernel, .stride = stride, .pad_mode = "same"});
}

/// Channels of the branches: 1×1, 3×3 and what it reads, "5×5" and what it reads, behind the pool.
struct Inception {
  std::string_view name;
  int64_t one;
  int64_t three_in, three;
  int64_t five_in, five;
  int64_t pooled;
};

/// Four branches side by side. The branch that the paper makes 5×5 is 3×3 in MindSpore's zoo.
Value inception(const Scope& scope, Value x, const Inception& widths) {
  const auto two = [&](const Scope& branch, int64_t inner, int64_t out) {
    return conv_block(branch / "1", conv_block(branch / "0", x, {.out = inner}),
                      {.out = out, .kernel = 3});
  };
  const Value one = conv_block(scope / "b1", x, {.out = widths.one});
  const Value three = two(scope / "b2", widths.three_in, widths.three);
  const Value five = two(scope / "b3", widths.five_in, widths.five);
  const Value pooled = conv_block(scope / "b4", pool(scope, x, 3, 1), {.out = widths.pooled});
  return concat(scope, std::array{one, three, five, pooled});
}

Value build(const Scope& scope, Value x, const Attrs& options) {
  constexpr Inception kBlocks[] = {
      {"block3a", 64, 96, 128, 16, 32, 32},     {"block3b", 128, 128, 192, 32, 96, 64},
      {"block4a", 192, 96, 208, 16, 48, 64},    {"block4b", 160, 112, 224, 24, 64, 64},
      {"block4c", 128, 128, 256, 24, 64, 64},   {"block4d", 112, 144, 288, 32, 64, 64},
      {"block4e", 256, 160, 320, 32, 128, 128}, {"block5a", 256, 160, 320, 32, 128, 128},
      {"block5b", 384, 192, 384, 48, 128, 128}};
  Conv2dOptions first{.out = 64, .kernel = 7, .stride = 2};
  if (internal::is_torchvision(options)) {
    first.pad_mode = "pad";
    first.padding = 3;
  }
  x = pool(scope / "maxpool1", conv_block(scope / "conv1", x, first), 3, 2);
  x = conv_block(scope / "conv2", x, {.out = 64});
  x = conv_block(scope / "conv3", x, {.out = 192, .kernel = 3});
  x = pool(scope / "maxpool2", x, 3, 2);
  for (const Inception& block : kBlocks) {
    x = inception(scope / block.name, x, block);
    if (block.name == "block3b") x = pool(scope / "maxpool3", x, 3, 2);
    if (block.name == "block4e") x = pool(scope / "maxpool4", x, 2, 2);
  }
  return dense(scope / "classifier", global_avg_pool(scope, x),
               internal::integer_option(options, "num_classes"),
               {.weight_init = truncated_normal(0.02)});
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(googlenet) {
  using namespace tessera;
  return {.doc = "GoogLeNet with norms (Inception v1): nine blocks of four branches.",
          .options = {internal::classes_option(10),
                      internal::variant_option(
                          "torchvision: as much padding before as behind the first convolution")},
          .hub_names = {"googlenet"},
          .row_shape = internal::photo_shape,
          .transforms = internal::image_transforms(internal::kShortSide256),
          .build = build};
}
