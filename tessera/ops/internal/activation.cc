#include "tessera/ops/internal/activation.h"

#include <array>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

Activation parse_activation(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "", "relu", "relu6", "leaky_relu", "gelu", "sigmoid", "tanh"};
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Activation>(i);
  fail(ErrorCode::kInvalidArgument,
       "activation '{}' is none of \"\", relu, relu6, leaky_relu, gelu, sigmoid, tanh",
       printable(name));
}

std::vector<AttrDef> activation_attrs() {
  return {{"activation", "",
           "applied last: \"\", relu, relu6, leaky_relu, gelu (the tanh form), "
           "sigmoid or tanh"},
          {"alpha", 0.0, "the slope of leaky_relu below zero"}};
}

}  // namespace tessera
