// Small random networks, and values for them.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"
#include "tessera/ops/registry.h"

namespace tessera::testing {

/// One network per seed: convolutions, pools, batch norms, biases, activations, residual sums and
/// concatenations over images of a few channels, then dense layers.
class RandomCnn {
 public:
  explicit RandomCnn(uint32_t seed) : random_(seed) {
    const int64_t side = 4 + below(9);
    images_ = {graph_.add_input("x", DType::kF32, {1 + below(3), 1 + below(20), side, side})};
    for (int64_t i = 3 + below(6); i > 0; --i) add_layer();
    ValueId top = emit("flatten", {images_.back()}, {{"axis", int64_t{1}}});
    for (int64_t i = below(3); i > 0; --i) top = add_dense(top);
    graph_.outputs = {top};
    if (below(3) == 0) graph_.outputs.push_back(pick());
  }
  const Graph& graph() const { return graph_; }

 private:
  int64_t below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint32_t>(limit));
  }
  ValueId pick() {
    return images_[static_cast<size_t>(below(static_cast<int64_t>(images_.size())))];
  }
  const Shape& shape(ValueId id) const { return graph_.values[static_cast<size_t>(id)].shape; }
  ValueId emit(std::string_view op, std::vector<ValueId> operands, Attrs attrs = {}) {
    return graph_.emit(require_op(op), std::move(operands), std::move(attrs)).front();
  }
  ValueId parameter(std::string_view what, Shape extents) {
    return graph_.add_parameter(graph_.unused_name("p_" + std::string(what)), DType::kF32,
                                std::move(extents));
  }

  void add_layer() {
    const ValueId in = below(4) == 0 ? pick() : images_.back();
    const int64_t channels = shape(in)[1];
    switch (below(9)) {
      case 0:
      case 1:
      case 2:
        images_.push_back(convolution(in));
        break;
      case 3:
        if (shape(in)[2] < 3) break;
        images_.push_back(emit(below(2) == 0 ? "max_pool" : "avg_pool", {in},
                               {{"kernel", Ints{2, 2}}, {"stride", Ints{1 + below(2), 2}}}));
        break;
      case 4:
        images_.push_back(
            emit("batch_norm", {in, parameter("gamma", {channels}), parameter("beta", {channels}),
                                parameter("mean", {channels}), parameter("variance", {channels})}));
        break;
      case 5:
        images_.push_back(emit("bias_add", {in, parameter("bias", {channels})}));
        break;
      case 6:
        images_.push_back(emit("add", {in, parameter("shift", {channels, 1, 1})}));
        break;
      case 7:
        add_joined(in);
        break;
      default:
        images_.push_back(activation(in));
    }
  }

  ValueId convolution(ValueId in) {
    const int64_t channels = shape(in)[1];
    const int64_t groups = channels % 2 == 0 && below(4) == 0 ? 2 : 1;
    const int64_t out = below(2) == 0 ? channels : groups * (1 + below(20));
    const int64_t kernel = 1 + 2 * below(2);
    return emit("conv2d", {in, parameter("weight", {out, channels / groups, kernel, kernel})},
                {{"stride", Ints{1, 1 + (below(4) == 0 ? 1 : 0)}}, {"groups", groups}});
  }

  void add_joined(ValueId in) {
    for (const ValueId other : images_) {
      if (other != in && shape(other) == shape(in)) {
        images_.push_back(emit("add", {in, other}));
        return;
      }
    }
    images_.push_back(emit("concat", {in, in}, {{"axis", int64_t{1}}}));
  }

  ValueId activation(ValueId in) {
    const std::vector<std::string_view> names = {"relu", "relu6",   "leaky_relu",
                                                 "gelu", "sigmoid", "tanh"};
    return emit(names[static_cast<size_t>(below(6))], {in});
  }

  ValueId add_dense(ValueId in) {
    const int64_t outputs = 1 + below(12);
    ValueId out = below(2) == 0
                      ? emit("dense", {in, parameter("weight", {outputs, shape(in)[1]})})
                      : emit("matmul", {in, parameter("weight", {shape(in)[1], outputs})});
    if (below(2) == 0) out = emit("add", {parameter("bias", {outputs}), out});
    return below(2) == 0 ? activation(out) : out;
  }

  std::mt19937 random_;
  Graph graph_;
  std::vector<ValueId> images_;
};

/// Tensors for inputs or parameters: in [-0.5, 0.5), variances and scales in [0.5, 1.5).
inline std::vector<Tensor> random_tensors(const Graph& graph, std::span<const ValueId> ids,
                                          uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Tensor> tensors;
  for (const ValueId id : ids) {
    const ValueInfo& value = graph.values[static_cast<size_t>(id)];
    const bool positive = value.name.starts_with("p_variance") || value.name.starts_with("p_gamma");
    std::uniform_real_distribution<float> draw(positive ? 0.5F : -0.5F, positive ? 1.5F : 0.5F);
    Tensor tensor(value.dtype, value.shape);
    for (float& element : tensor.mutable_data<float>()) element = draw(random);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

/// The largest |wanted - found|, relative to the largest |wanted| where that is above 1; infinite
/// where types differ or something is not finite.
inline double largest_difference(const Tensor& wanted, const Tensor& found) {
  if (wanted.dtype() != found.dtype() || wanted.shape() != found.shape()) return INFINITY;
  double scale = 1;
  double largest = 0;
  for (size_t i = 0; i < wanted.data<float>().size(); ++i) {
    const double a = wanted.data<float>()[i];
    const double b = found.data<float>()[i];
    if (!std::isfinite(a) || !std::isfinite(b)) return INFINITY;
    scale = std::max(scale, std::abs(a));
    largest = std::max(largest, std::abs(a - b));
  }
  return largest / scale;
}

}  // namespace tessera::testing
