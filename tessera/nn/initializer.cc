#include "tessera/nn/initializer.h"

#include <cmath>

#include "tessera/base/text.h"

namespace tessera {
namespace {

using Kind = Distribution::Kind;

/// How many products one output of a weight adds up, going forward (kIn) or backward (kOut).
double fan_of(const Shape& shape, Fan fan) {
  if (fan == Fan::kNone) return 1;
  require(shape.size() >= 2,
          "a parameter of {} has no fan in and fan out, which its initialiser divides by; they are "
          "of weights [out, in, ...]",
          to_string(shape));
  double in = static_cast<double>(shape[1]);
  double out = static_cast<double>(shape[0]);
  for (size_t d = 2; d < shape.size(); ++d) {
    in *= static_cast<double>(shape[d]);
    out *= static_cast<double>(shape[d]);
  }
  return fan == Fan::kIn ? in : fan == Fan::kOut ? out : (in + out) / 2;
}

/// What a function does to the deviation of what it reads.
double gain_of(const HeOptions& options) {
  const std::string& function = options.nonlinearity;
  if (function == "leaky_relu")
    return std::sqrt(2 / (1 + options.negative_slope * options.negative_slope));
  if (function == "relu") return std::sqrt(2.0);
  if (function == "tanh") return 5.0 / 3;
  if (function == "sigmoid" || function == "linear") return 1;
  fail(ErrorCode::kInvalidArgument,
       "nonlinearity '{}' is none of leaky_relu, relu, tanh, sigmoid, linear", printable(function));
}

Initializer uniform_by_fan(double deviation, Fan fan) {
  return {{.kind = Kind::kUniform, .spread = std::sqrt(3.0) * deviation}, fan};
}

}  // namespace

Distribution Initializer::of(const Shape& shape) const {
  const double fan_root = std::sqrt(fan_of(shape, fan));
  Distribution scaled = distribution;
  if (fan_root == 0) return {};  // nothing to fill
  scaled.spread /= fan_root;
  scaled.low /= fan_root;
  scaled.high /= fan_root;
  return scaled;
}

Initializer constant(double value) {
  return {{.center = value}};
}
Initializer zeros() {
  return constant(0);
}
Initializer ones() {
  return constant(1);
}
Initializer uniform(double scale) {
  return {{.kind = Kind::kUniform, .spread = scale}};
}
Initializer normal(double sigma, double mean) {
  return {{.kind = Kind::kNormal, .center = mean, .spread = sigma}};
}
Initializer truncated_normal(double sigma, double mean, double a, double b) {
  return {{.kind = Kind::kNormal, .center = mean, .spread = sigma, .low = a, .high = b}};
}

Initializer xavier_uniform(double gain) {
  return uniform_by_fan(gain, Fan::kMean);
}
Initializer xavier_normal(double gain) {
  return {{.kind = Kind::kNormal, .spread = gain}, Fan::kMean};
}
Initializer he_uniform(const HeOptions& options) {
  return uniform_by_fan(gain_of(options), options.fan);
}
Initializer he_normal(const HeOptions& options) {
  return {{.kind = Kind::kNormal, .spread = gain_of(options)}, options.fan};
}

Initializer default_weight_init() {
  return he_uniform({.negative_slope = std::sqrt(5.0)});
}
Initializer default_bias_init(const Shape& weight) {
  const double fan_in = fan_of(weight, Fan::kIn);
  return fan_in == 0 ? zeros() : uniform(1 / std::sqrt(fan_in));
}

}  // namespace tessera
