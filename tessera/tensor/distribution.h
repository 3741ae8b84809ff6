// Which random numbers fill a tensor. Element i of the whole tensor takes number i of a stream, so
// a rank that holds a part of it makes the same numbers as a rank that holds all:
//
//   const Distribution normal{Distribution::Kind::kNormal, 0, 0.02};
//   Tensor part = sample(normal, RandomStream(seed, "fc1.weight"), {DType::kF32, {120, 400}}, box);
#pragma once

#include <limits>

#include "tessera/base/random.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

struct Distribution {
  enum class Kind : uint8_t { kConstant, kUniform, kNormal };

  Kind kind = Kind::kConstant;
  double center = 0;  // the constant, the middle, the mean
  double spread = 0;  // half the width of kUniform, sigma of kNormal
  /// No number of kNormal lies outside; the density between the bounds keeps its form.
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  bool operator==(const Distribution&) const = default;
};

/// The number below which a standard normal number lies with probability p, 0 < p < 1; 16 digits.
double normal_quantile(double p);

/// A tensor of which a part is to be made.
struct Whole {
  DType dtype = DType::kF32;
  Shape shape;
};
/// The elements in `part` of the whole tensor, as f32 numbers converted to its dtype. Throws
/// kInvalidArgument for a negative spread and for bounds between which nothing lies.
Tensor sample(const Distribution& distribution, const RandomStream& stream, const Whole& whole,
              const Box& part, int threads = 0);

}  // namespace tessera
