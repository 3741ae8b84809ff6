// The elementwise functions of neural networks, alone and as the end of a fused conv2d, dense or
// matmul.
#pragma once

#include <cmath>
#include <string_view>

#include "tessera/graph/attrs.h"

namespace tessera {

/// What a fused op applies last: the `activation` attribute. kGelu is the tanh approximation.
enum class Activation : uint8_t { kNone, kRelu, kRelu6, kLeakyRelu, kGelu, kSigmoid, kTanh };

/// "" (none), "relu", "relu6", "leaky_relu", "gelu", "sigmoid", "tanh"; throws kInvalidArgument.
Activation parse_activation(std::string_view name);
/// The attributes that every fusable op has: activation and alpha.
std::vector<AttrDef> activation_attrs();

namespace internal {

// F is float or double. NaN becomes 0 in relu, as in MindSpore's CPU kernels.
template <typename F>
F relu(F x) {
  return x > F(0) ? x : F(0);
}
template <typename F>
F relu6(F x) {
  return x < F(0) ? F(0) : (x > F(6) ? F(6) : x);
}
template <typename F>
F leaky_relu(F x, double alpha) {
  return x > F(0) ? x : static_cast<F>(alpha) * x;
}
template <typename F>
F sigmoid(F x) {
  // exp of a number below zero never overflows.
  const F e = std::exp(-std::abs(x));
  return (x < F(0) ? e : F(1)) / (F(1) + e);
}
/// x * Phi(x) by x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))).
template <typename F>
F gelu_tanh(F x) {
  constexpr F kScale = F(0.79788456080286535588);  // sqrt(2 / pi)
  return x / F(2) * (F(1) + std::tanh(kScale * (x + F(0.044715) * x * x * x)));
}
/// x * Phi(x), Phi the normal distribution: x / 2 * (1 + erf(x / sqrt(2))).
template <typename F>
F gelu_erf(F x) {
  return x / F(2) * (F(1) + std::erf(x * F(0.70710678118654752440)));
}

/// The slopes of both forms of gelu.
template <typename F>
F gelu_tanh_slope(F x) {
  constexpr F kScale = F(0.79788456080286535588);
  const F t = std::tanh(kScale * (x + F(0.044715) * x * x * x));
  return (F(1) + t + x * (F(1) - t * t) * kScale * (F(1) + F(3 * 0.044715) * x * x)) / F(2);
}
template <typename F>
F gelu_erf_slope(F x) {
  constexpr F kDensity = F(0.39894228040143267794);  // 1 / sqrt(2 pi)
  const F share = (F(1) + std::erf(x * F(0.70710678118654752440))) / F(2);
  return share + x * kDensity * std::exp(x * x / F(-2));
}

template <typename F>
F activate(Activation activation, double alpha, F x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return relu(x);
    case Activation::kRelu6:
      return relu6(x);
    case Activation::kLeakyRelu:
      return leaky_relu(x, alpha);
    case Activation::kGelu:
      return gelu_tanh(x);
    case Activation::kSigmoid:
      return sigmoid(x);
    case Activation::kTanh:
      return std::tanh(x);
  }
  return x;
}

}  // namespace internal
}  // namespace tessera
