#include "tessera/tensor/distribution.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tessera/base/parallel.h"

namespace tessera {
namespace {

template <size_t n>
double polynomial(const std::array<double, n>& falling, double x) {
  double value = 0;
  for (const double factor : falling) value = value * x + factor;
  return value;
}

double quantile_in_the_middle(double q) {
  constexpr std::array<double, 8> kAbove{2.5090809287301226727e+3, 3.3430575583588128105e+4,
                                         6.7265770927008700853e+4, 4.5921953931549871457e+4,
                                         1.3731693765509461125e+4, 1.9715909503065514427e+3,
                                         1.3314166789178437745e+2, 3.3871328727963666080e+0};
  constexpr std::array<double, 8> kBelow{5.2264952788528545610e+3, 2.8729085735721942674e+4,
                                         3.9307895800092710610e+4, 2.1213794301586595867e+4,
                                         5.3941960214247511077e+3, 6.8718700749205790830e+2,
                                         4.2313330701600911252e+1, 1.0};
  const double r = 0.180625 - q * q;
  return q * polynomial(kAbove, r) / polynomial(kBelow, r);
}

/// For p <= 0.075, where the quantile is -this.
double quantile_of_a_tail(double p) {
  constexpr std::array<double, 8> kAbove{7.74545014278341407640e-4, 2.27238449892691845833e-2,
                                         2.41780725177450611770e-1, 1.27045825245236838258e+0,
                                         3.64784832476320460504e+0, 5.76949722146069140550e+0,
                                         4.63033784615654529590e+0, 1.42343711074968357734e+0};
  constexpr std::array<double, 8> kBelow{1.05075007164441684324e-9, 5.47593808499534494600e-4,
                                         1.51986665636164571966e-2, 1.48103976427480074590e-1,
                                         6.89767334985100004550e-1, 1.67638483018380384940e+0,
                                         2.05319162663775882187e+0, 1.0};
  constexpr std::array<double, 8> kFarAbove{2.01033439929228813265e-7, 2.71155556874348757815e-5,
                                            1.24266094738807843860e-3, 2.65321895265761230930e-2,
                                            2.96560571828504891230e-1, 1.78482653991729133580e+0,
                                            5.46378491116411436990e+0, 6.65790464350110377720e+0};
  constexpr std::array<double, 8> kFarBelow{2.04426310338993978564e-15, 1.42151175831644588870e-7,
                                            1.84631831751005468180e-5,  7.86869131145613259100e-4,
                                            1.48753612908506148525e-2,  1.36929880922735805310e-1,
                                            5.99832206555887937690e-1,  1.0};
  const double r = std::sqrt(-std::log(p));
  if (r <= 5) return polynomial(kAbove, r - 1.6) / polynomial(kBelow, r - 1.6);
  return polynomial(kFarAbove, r - 5) / polynomial(kFarBelow, r - 5);
}

/// The probability that a standard normal number is below x.
double normal_probability(double x) {
  return std::erfc(-x / std::sqrt(2.0)) / 2;
}

/// One number of a distribution from one of a stream.
class Sampler {
 public:
  explicit Sampler(const Distribution& distribution) : from_(distribution) {
    require(from_.spread >= 0, "random numbers are asked to spread by {}; wanted 0 or more",
            from_.spread);
    if (from_.kind != Distribution::Kind::kNormal || from_.spread == 0) return;
    below_ = normal_probability((from_.low - from_.center) / from_.spread);
    between_ = normal_probability((from_.high - from_.center) / from_.spread) - below_;
    require(between_ > 0, "no normal number of mean {} and sigma {} lies in [{}, {}]", from_.center,
            from_.spread, from_.low, from_.high);
  }

  float operator()(uint64_t bits) const {
    const double u = unit_interval(bits);
    switch (from_.kind) {
      case Distribution::Kind::kConstant:
        return static_cast<float>(from_.center);
      case Distribution::Kind::kUniform:
        return static_cast<float>(from_.center + from_.spread * (2 * u - 1));
      case Distribution::Kind::kNormal:
        break;
    }
    if (from_.spread == 0)
      return static_cast<float>(std::clamp(from_.center, from_.low, from_.high));
    const double p = std::clamp(below_ + between_ * u, 0x1p-1022, 1 - 0x1p-53);
    return static_cast<float>(
        std::clamp(from_.center + from_.spread * normal_quantile(p), from_.low, from_.high));
  }

 private:
  Distribution from_;
  double below_ = 0;    // the probability of what lies below the lower bound
  double between_ = 1;  // and of what is wanted
};

/// Elements that lie side by side in the part and in the whole.
struct Run {
  int64_t in_part;
  int64_t in_whole;
  int64_t count;
};

void fill(const Sampler& sampler, const RandomStream& stream, uint64_t first,
          std::span<float> elements) {
  size_t i = 0;
  if (first % 2 != 0 && !elements.empty()) elements[i++] = sampler(stream.bits(first));
  for (; i + 1 < elements.size(); i += 2) {
    const auto [a, b] = stream.pair((first + i) / 2);
    elements[i] = sampler(a);
    elements[i + 1] = sampler(b);
  }
  if (i < elements.size()) elements[i] = sampler(stream.bits(first + i));
}

}  // namespace

// Algorithm AS 241 (Wichura 1988).
double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) return quantile_in_the_middle(q);
  return q < 0 ? -quantile_of_a_tail(p) : quantile_of_a_tail(1 - p);
}

Tensor sample(const Distribution& distribution, const RandomStream& stream, const Whole& whole,
              const Box& part, int threads) {
  constexpr int64_t kAtOnce = 1 << 15;
  const Sampler sampler(distribution);
  Tensor tensor(DType::kF32, part.size);
  std::vector<Run> runs;
  for_each_run(
      part, tessera::whole(whole.shape), part,
      [&](int64_t in_part, int64_t in_whole, int64_t count) {
        for (int64_t done = 0; done < count; done += kAtOnce)
          runs.push_back({in_part + done, in_whole + done, std::min(kAtOnce, count - done)});
      });
  const std::span<float> elements = tensor.mutable_data<float>();
  if (distribution.kind == Distribution::Kind::kConstant) {
    std::fill(elements.begin(), elements.end(), static_cast<float>(distribution.center));
  } else {
    // Narrow parts have many short runs: a task takes as many as are worth a thread.
    const size_t each = std::max<size_t>(1, runs.size() * kAtOnce / (elements.size() + 1));
    parallel_for((runs.size() + each - 1) / each, thread_count(threads), [&](size_t task) {
      for (size_t i = task * each; i < std::min(runs.size(), (task + 1) * each); ++i) {
        const Run& run = runs[i];
        fill(sampler, stream, static_cast<uint64_t>(run.in_whole),
             elements.subspan(static_cast<size_t>(run.in_part), static_cast<size_t>(run.count)));
      }
    });
  }
  return whole.dtype == DType::kF32 ? tensor : tensor.cast(whole.dtype);
}

}  // namespace tessera
