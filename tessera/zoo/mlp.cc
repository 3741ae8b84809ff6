#include "tessera/zoo/define_model.h"

namespace tessera {
namespace {

/// MindSpore's quick-start network: a SequentialCell whose dense layers stand at every second
/// place, the activations between them.
Value build(const Scope& scope, Value x, const Attrs& options) {
  const auto& hidden = std::get<Ints>(options.at("hidden"));
  const auto& function = std::get<std::string>(options.at("activation"));
  const bool bias = std::get<bool>(options.at("bias"));
  Attrs attrs;
  if (function == "leaky_relu") attrs.emplace("alpha", std::get<double>(options.at("alpha")));

  const Scope layers = scope / "dense_relu_sequential";
  x = flatten(scope, x);
  for (size_t i = 0; i < hidden.size(); ++i) {
    const Scope layer = layers / std::to_string(2 * i);
    x = activation(layer, dense(layer, x, hidden[i], {.bias = bias}), function, attrs);
  }
  const Scope last = layers / std::to_string(2 * hidden.size());
  return dense(last, x, std::get<int64_t>(options.at("num_classes")), {.bias = bias});
}

Shape row_shape(const Attrs& /*options*/) {
  return {1, 28, 28};
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(mlp) {
  using namespace tessera;
  constexpr std::string_view kMnist = "rescale(1/255) normalize(0.1307,0.3081) to_chw";
  constexpr std::string_view kImage =
      "to_grey resize(28,28) rescale(1/255) normalize(0.1307,0.3081) to_chw";
  return {
      .doc =
          "MindSpore's quick-start network: flatten, dense layers with an activation between them.",
      .options = {{"hidden", Ints{512, 512}, "widths of the hidden layers"},
                  {"activation", std::string("relu"), "op between the layers; identity for none"},
                  {"alpha", 0.01, "slope of leaky_relu below zero"},
                  {"bias", true, "whether the dense layers have a bias"},
                  {"num_classes", int64_t{10}, "width of the last layer"}},
      .row_shape = row_shape,
      .transforms = {{"mnist", kMnist}, {"digits", kMnist}, {"image", kImage}},
      .build = build,
  };
}
