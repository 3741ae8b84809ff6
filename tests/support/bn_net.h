// The small network with batch norm whose training MindSpore recorded: BnNet in the README beside
// ../shared/data/mindspore/train/train.json.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tessera/ops/ops.h"
#include "tests/support/made_weights.h"

namespace tessera::testing {

/// Of f32[rows,1,32,32]; logits of 10 classes.
class BnNet {
 public:
  explicit BnNet(int64_t rows) {
    const Value x{&graph_, graph_.add_input("x", DType::kF32, {rows, 1, 32, 32})};
    const Value a = relu(norm("bn1", conv("conv1", x, {8, 1, 3, 3})));
    const Value b = norm("bn2", conv("conv2", a, {16, 8, 3, 3}));
    const Value c = norm("bn3", conv("down", a, {16, 8, 1, 1}));
    const Value mean = reduce_mean(relu(add(b, c)), {{"axis", Ints{2, 3}}});
    graph_.outputs = {dense(mean, parameter("fc.weight", {10, 16}), parameter("fc.bias", {10})).id};
  }
  const Graph& graph() const { return graph_; }

 private:
  Value parameter(std::string name, const Shape& shape) {
    return {&graph_, graph_.add_parameter(std::move(name), DType::kF32, shape)};
  }
  Value conv(const std::string& name, Value x, const Shape& shape) {
    return conv2d(x, parameter(name + ".weight", shape), {{"stride", Ints{2, 2}}});
  }
  Value norm(const std::string& name, Value x) {
    const Shape channels = {x.shape()[1]};
    const Value gamma = parameter(name + ".gamma", channels);
    const Value beta = parameter(name + ".beta", channels);
    const Value mean = parameter(name + ".moving_mean", channels);
    return batch_norm(x, gamma, beta, mean, parameter(name + ".moving_variance", channels));
  }
  Graph graph_;
};

/// The made weights; moving means are 0 and moving variances 1.
inline std::vector<Tensor> first_bn_weights(const Graph& graph) {
  std::vector<Tensor> weights;
  for (const ValueId id : graph.parameters) {
    const ValueInfo& value = graph.values[static_cast<size_t>(id)];
    weights.push_back(made_parameter(value.name, value.shape, 3));
    if (value.name.ends_with("moving_mean"))
      std::ranges::fill(weights.back().mutable_data<float>(), 0.0F);
    if (value.name.ends_with("moving_variance"))
      std::ranges::fill(weights.back().mutable_data<float>(), 1.0F);
  }
  return weights;
}

}  // namespace tessera::testing
