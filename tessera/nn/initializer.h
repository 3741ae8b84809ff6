// What the parameters of layers begin with, before anything is loaded or trained: MindSpore's
// initialisers, as functions. What depends on the parameter's shape is decided when it is made:
//
//   dense(scope, x, 10, {.weight_init = normal(0.02)});
//   conv2d(scope, x, {.out = 64, .weight_init = he_normal({.fan = Fan::kOut})});
//
// Values follow from a seed, the parameter's name and the element's place (tensor/distribution.h).
#pragma once

#include <string>

#include "tessera/tensor/distribution.h"

namespace tessera {

/// What a weight [out, in, kernel…] divides the variance by: 1, in · kernel, out · kernel, their
/// mean.
enum class Fan : uint8_t { kNone, kIn, kOut, kMean };

struct Initializer {
  /// Spread and bounds are divided by the root of the fan.
  Distribution distribution = {};
  Fan fan = Fan::kNone;

  /// For a parameter of this shape. Throws kInvalidArgument where a fan is wanted and the shape has
  /// fewer than two dims.
  Distribution of(const Shape& shape) const;
};

Initializer constant(double value);
Initializer zeros();
Initializer ones();
/// In [-scale, scale].
Initializer uniform(double scale = 0.07);
Initializer normal(double sigma = 0.01, double mean = 0);
/// In [a, b]: bounds of the values, as in MindSpore, not of values in units of sigma.
Initializer truncated_normal(double sigma = 0.01, double mean = 0, double a = -2, double b = 2);

/// Glorot, Bengio 2010.
Initializer xavier_uniform(double gain = 1);
Initializer xavier_normal(double gain = 1);

struct HeOptions {
  double negative_slope = 0;  // of leaky_relu
  Fan fan = Fan::kIn;
  std::string nonlinearity = "leaky_relu";  // or relu, tanh, sigmoid, linear
};
/// He, Zhang, Ren, Sun 2015.
Initializer he_uniform(const HeOptions& options = {});
Initializer he_normal(const HeOptions& options = {});

/// Of the weights of layers that do not say: MindSpore 2's HeUniform(sqrt(5)).
Initializer default_weight_init();
/// Of the bias beside a weight of this shape: uniform(1 / sqrt(fan in)).
Initializer default_bias_init(const Shape& weight);

}  // namespace tessera
