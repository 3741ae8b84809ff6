// LAMB against its formula written down anew, in f64: MindSpore refuses it on CPUs.
#include <gtest/gtest.h>

#include <cmath>

#include "tessera/runtime/program.h"
#include "tessera/train/optimizer.h"

namespace tessera::testing {
namespace {

/// You et al. 2019, algorithm 2, with the moments corrected and phi the identity.
struct Lamb {
  double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-6, decay = 0.02, rate = 0.05;
  std::vector<double> w, m, v;
  int t = 0;

  void step(const std::vector<double>& g) {
    ++t;
    std::vector<double> direction(w.size());
    double of_w = 0, of_direction = 0;
    for (size_t i = 0; i < w.size(); ++i) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      const double first = m[i] / (1 - std::pow(beta1, t));
      const double second = v[i] / (1 - std::pow(beta2, t));
      direction[i] = first / (std::sqrt(second) + epsilon) + decay * w[i];
      of_w += w[i] * w[i];
      of_direction += direction[i] * direction[i];
    }
    const double ratio = of_w > 0 && of_direction > 0 ? std::sqrt(of_w / of_direction) : 1;
    for (size_t i = 0; i < w.size(); ++i) w[i] -= rate * ratio * direction[i];
  }
};

Tensor tensor_of(const std::vector<double>& values) {
  return Tensor::of<double>(values, {static_cast<int64_t>(values.size())});
}

TEST(Lamb, StepsAsItsFormulaSays) {
  const Optimizer optimizer = parse_optimizer("lamb(beta2=0.99,weight_decay=0.02)");
  Lamb wanted{.w = {0.5, -2, 0, 3}, .m = {0, 0, 0, 0}, .v = {0, 0, 0, 0}};
  Graph graph;
  const auto kept = [&](const char* name) {
    return Value{&graph, graph.add_parameter(name, DType::kF64, {4})};
  };
  const auto number = [&](const char* name) {
    return Value{&graph, graph.add_input(name, DType::kF32, {})};
  };
  const Value w = kept("w"), m = kept("m"), v = kept("v");
  const Value g{&graph, graph.add_input("g", DType::kF64, {4})};
  const Value rate = number("rate"), power1 = number("beta1_power"), power2 = number("beta2_power");
  const UpdateCall call{w, g, {m, v}, rate, {power1, power2}, 0.02, optimizer.options};
  const std::vector<Value> made = optimizer.definition->update(call);
  graph.updates = {{w.id, made[0].id}, {m.id, made[1].id}, {v.id, made[2].id}};
  Tensor weights = tensor_of(wanted.w);
  Program program = Program::compile(
      graph, std::vector<Tensor>{weights, tensor_of(wanted.m), tensor_of(wanted.v)});
  for (int step = 1; step <= 5; ++step) {
    const std::vector<double> gradient = {0.1 * step, -0.3, 0.7 / step, 1e-3};
    wanted.step(gradient);
    program.run(std::vector<Tensor>{tensor_of(gradient), Tensor::scalar(0.05F),
                                    Tensor::scalar(static_cast<float>(std::pow(0.9, step))),
                                    Tensor::scalar(static_cast<float>(std::pow(0.99, step)))});
    for (size_t i = 0; i < 4; ++i)
      EXPECT_NEAR(weights.data<double>()[i], wanted.w[i], 1e-5) << "step " << step;
  }
}

}  // namespace
}  // namespace tessera::testing
