#include "tessera/zoo/define_model.h"

namespace tessera {
namespace {

Value build(const Scope& scope, Value x, const Attrs& options) {
  const int64_t classes = std::get<int64_t>(options.at("num_classes"));
  const int64_t channels = std::get<int64_t>(options.at("num_channel"));
  require(x.shape().size() == 4 && x.shape()[1] == channels,
          "lenet5 has num_channel={}, the rows are [n,c,h,w] = {}", channels, to_string(x.shape()));
  const auto block = [&](const Scope& part, Value in, int64_t out) {
    in = conv2d(part, in, {.out = out, .kernel = 5, .pad_mode = "valid"});
    return max_pool(part, activation(part, in, "relu"), {.kernel = 2, .stride = 2});
  };
  x = block(scope / "conv1", x, 6);
  x = block(scope / "conv2", x, 16);
  x = flatten(scope, x);
  const DenseOptions narrow{.weight_init = normal(0.02)};
  x = activation(scope / "fc1", dense(scope / "fc1", x, 120, narrow), "relu");
  x = activation(scope / "fc2", dense(scope / "fc2", x, 84, narrow), "relu");
  return dense(scope / "fc3", x, classes, narrow);
}

Shape row_shape(const Attrs& options) {
  return {std::get<int64_t>(options.at("num_channel")), 32, 32};
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(lenet5) {
  using namespace tessera;
  // The recipe of MindSpore's own script, bit for bit: its normalisation is a second rescale.
  constexpr std::string_view kMnist =
      "resize(32,32) rescale(1/255) rescale(1/0.3081,-0.1307/0.3081) to_chw";
  constexpr std::string_view kImage =
      "to_grey resize(32,32) rescale(1/255) rescale(1/0.3081,-0.1307/0.3081) to_chw";
  return {
      .doc =
          "LeNet-5 of MindSpore's model zoo: two 5×5 convolutions without bias, three dense "
          "layers.",
      .options = {{"num_classes", int64_t{10}, "width of the last layer"},
                  {"num_channel", int64_t{1}, "channels of the image"}},
      .hub_names = {"LeNet"},
      .row_shape = row_shape,
      .transforms = {{"mnist", kMnist}, {"digits", kMnist}, {"image", kImage}},
      .build = build,
  };
}
