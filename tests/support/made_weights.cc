#include "tests/support/made_weights.h"

#include <cmath>

#include "tessera/base/fnv1a.h"
#include "tessera/base/parallel.h"

namespace tessera::testing {
namespace {

/// Sets element i to value(u, 2u - 1), u in [0,1) by the name and i.
template <typename Value>
Tensor made(std::string_view name, const Shape& shape, Value value) {
  const uint64_t hash = fnv1a(name);
  Tensor tensor(DType::kF32, shape);
  uint64_t i = 0;
  for (float& element : tensor.mutable_data<float>()) {
    uint64_t z = hash + ++i * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    const float u = static_cast<float>(z >> 40) * 0x1p-24F;
    element = value(u, 2 * u - 1);
  }
  return tensor;
}

}  // namespace

Tensor made_parameter(std::string_view name, const Shape& shape, float gain) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  if (last == "gamma") return made(name, shape, [](float, float t) { return 1 + 0.1F * t; });
  if (last == "moving_variance")
    return made(name, shape, [](float u, float) { return 1 + 0.5F * u; });
  if (last == "moving_mean" || shape.size() < 2)
    return made(name, shape, [](float, float t) { return 0.1F * t; });
  double fan_in = 1;
  for (size_t d = 1; d < shape.size(); ++d) fan_in *= static_cast<double>(shape[d]);
  const auto bound = static_cast<float>(std::sqrt(static_cast<double>(gain) / fan_in));
  return made(name, shape, [bound](float, float t) { return t * bound; });
}

std::vector<Tensor> made_parameters(const Graph& graph, float gain) {
  std::vector<Tensor> tensors(graph.parameters.size());
  parallel_for(tensors.size(), 0, [&](size_t i) {
    const ValueInfo& value = graph.values[static_cast<size_t>(graph.parameters[i])];
    tensors[i] = made_parameter(value.name, value.shape, gain);
  });
  return tensors;
}

Tensor made_input(const Shape& shape) {
  return made("input", shape, [](float, float t) { return t; });
}

}  // namespace tessera::testing
