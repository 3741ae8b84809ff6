// What to_training makes of a network: batch norm whose gradient knows of its statistics, and
// dropout.
#include "tessera/passes/training.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tessera/ops/ops.h"
#include "tessera/passes/gradients.h"
#include "tessera/tensor/half.h"
#include "tests/support/evaluate_graph.h"

namespace tessera::testing {
namespace {

Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor tensor(DType::kF64, shape);
  for (double& x : tensor.mutable_data<double>())
    x = std::uniform_real_distribution<double>(0.5, 2)(random);
  return tensor;
}

constexpr int64_t kRows = 6;
constexpr int64_t kChannels = 3;

/// loss = sum of weights * batch_norm(x): its gradients are outputs 1, 2 and 3.
Graph norm_problem(const TrainingOptions& options) {
  Graph network;
  const Value x{&network, network.add_input("x", DType::kF64, {kRows, kChannels, 2, 2})};
  std::vector<Value> parameters;
  for (const char* name : {"gamma", "beta", "mean", "variance"})
    parameters.push_back({&network, network.add_parameter(name, DType::kF64, {kChannels})});
  const Value y = batch_norm(x, parameters[0], parameters[1], parameters[2], parameters[3]);
  network.outputs = {y.id};
  Graph graph = to_training(network, options);
  const Value result{&graph, graph.outputs[0]};
  const ValueId weights = graph.add_constant("weights", random_tensor(result.shape(), 9));
  const ValueId loss = reduce_sum(mul(result, {&graph, weights})).id;
  const std::vector<ValueId> wanted = {graph.inputs[0], graph.parameters[0], graph.parameters[1]};
  graph.outputs = {loss};
  for (const ValueId id : add_gradients(graph, loss, wanted)) graph.outputs.push_back(id);
  verify(graph);
  return graph;
}

std::vector<Tensor> norm_operands() {
  std::vector<Tensor> given = {random_tensor({kRows, kChannels, 2, 2}, 1)};
  for (unsigned i = 0; i < 4; ++i) given.push_back(random_tensor({kChannels}, 2 + i));
  return given;
}

class BatchNormGroups : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Parts, BatchNormGroups, ::testing::Values(1, 2, 3));

TEST_P(BatchNormGroups, HasTheGradientOfFiniteDifferencesThroughItsStatistics) {
  const Graph graph = norm_problem({.statistics_groups = GetParam()});
  const std::vector<Tensor> given = norm_operands();
  const std::vector<Tensor> outputs = evaluate_graph(graph, given);
  for (size_t operand = 0; operand < 3; ++operand) {
    for (int64_t i = 0; i < given[operand].size(); ++i) {
      const auto loss = [&](double step) {
        std::vector<Tensor> moved = given;
        moved[operand] = given[operand].clone();
        moved[operand].mutable_data<double>()[static_cast<size_t>(i)] += step;
        return evaluate_graph(graph, moved)[0].data<double>()[0];
      };
      const double wanted = (loss(1e-5) - loss(-1e-5)) / 2e-5;
      EXPECT_NEAR(outputs[1 + operand].data<double>()[static_cast<size_t>(i)], wanted,
                  1e-6 * std::max(1.0, std::abs(wanted)))
          << "operand " << operand << ", element " << i;
    }
  }
}

TEST_P(BatchNormGroups, MovesItsStatisticsByTheMeanOverTheParts) {
  const int64_t groups = GetParam();
  const Graph graph = norm_problem({.momentum = 0.8, .statistics_groups = groups});
  const std::vector<Tensor> given = norm_operands();
  const std::vector<Tensor> outputs = evaluate_graph(graph, given);
  ASSERT_EQ(graph.updates.size(), 2U);
  const int64_t rows = kRows / groups;
  for (int64_t c = 0; c < kChannels; ++c) {
    double means = 0, variances = 0;
    for (int64_t g = 0; g < groups; ++g) {
      std::vector<double> all;
      for (int64_t n = g * rows; n < (g + 1) * rows; ++n)
        for (int64_t i = 0; i < 4; ++i)
          all.push_back(given[0].data<double>()[static_cast<size_t>((n * kChannels + c) * 4 + i)]);
      double mean = 0, squares = 0;
      for (const double x : all) mean += x / static_cast<double>(all.size());
      for (const double x : all) squares += (x - mean) * (x - mean);
      means += mean / static_cast<double>(groups);
      variances += squares / static_cast<double>(all.size() - 1) / static_cast<double>(groups);
    }
    const auto at = static_cast<size_t>(c);
    EXPECT_NEAR(outputs[4].data<double>()[at], 0.8 * given[3].data<double>()[at] + 0.2 * means,
                1e-12);
    EXPECT_NEAR(outputs[5].data<double>()[at], 0.8 * given[4].data<double>()[at] + 0.2 * variances,
                1e-12);
  }
}

TEST(ToTraining, RefusesABatchThatIsNotSoManyEqualParts) {
  EXPECT_THROW((void)norm_problem({.statistics_groups = 4}), Error);
  EXPECT_THROW((void)norm_problem({.statistics_groups = 0}), Error);
}

TEST(ToTraining, DropsAboutAsManyElementsAsAskedAndOthersAtEveryStep) {
  Graph network;
  const Value x{&network, network.add_input("x", DType::kF64, {100, 40})};
  network.outputs = {dropout(dropout(x, {{"p", 0.25}}), {{"p", 0.5}}).id};
  const Graph graph = to_training(network, {.seed = 5});
  ASSERT_EQ(graph.inputs.size(), 2U);
  EXPECT_EQ(graph.values[static_cast<size_t>(graph.inputs[1])].name, "step");
  Tensor ones(DType::kF64, {100, 40});
  std::ranges::fill(ones.mutable_data<double>(), 1.0);
  const auto run = [&](int64_t step) {
    const std::vector<Tensor> given = {ones, Tensor::scalar(step)};
    return evaluate_graph(graph, given)[0];
  };
  const Tensor first = run(1);
  const Tensor second = run(2);
  int64_t kept = 0, same = 0;
  for (size_t i = 0; i < 4000; ++i) {
    const double y = first.data<double>()[i];
    EXPECT_TRUE(y == 0 || std::abs(y - 1 / 0.75 / 0.5) < 1e-12) << y;
    kept += y != 0 ? 1 : 0;
    same += (y != 0) == (second.data<double>()[i] != 0) ? 1 : 0;
  }
  // Kept with probability 0.375: 1500 of 4000, with a deviation of 31.
  EXPECT_NEAR(static_cast<double>(kept), 1500, 150);
  EXPECT_NEAR(static_cast<double>(same), 4000 * (0.375 * 0.375 + 0.625 * 0.625), 200);
}

/// A dense layer of f32 parameters, in training whose products are of bf16.
TEST(ReducedProducts, AreRoundedAndSoAreTheirGradients) {
  Graph network;
  const Value x{&network, network.add_input("x", DType::kF32, {2, 3})};
  const Value w{&network, network.add_parameter("w", DType::kF32, {4, 3})};
  const Value y = dense(x, w);
  network.outputs = {relu(add(y, y)).id};
  Graph graph = to_training(network, {.products = DType::kBF16});
  const ValueId loss = reduce_sum({&graph, graph.outputs[0]}).id;
  const std::vector<ValueId> wanted = {graph.inputs[0], graph.parameters[0]};
  graph.outputs.push_back(loss);
  for (const ValueId id : add_gradients(graph, loss, wanted)) graph.outputs.push_back(id);
  verify(graph);
  EXPECT_EQ(graph.type(graph.parameters[0]).dtype, DType::kF32);
  const std::vector<Tensor> given = {random_tensor({2, 3}, 1).cast(DType::kF32),
                                     random_tensor({4, 3}, 2).cast(DType::kF32)};
  const std::vector<Tensor> found = evaluate_graph(graph, given);
  const auto bf16 = [](float value) { return static_cast<float>(BFloat16(value)); };
  const auto a = given[0].data<float>(), b = given[1].data<float>();
  for (size_t i = 0; i < 2; ++i)
    for (size_t j = 0; j < 4; ++j) {
      double sum = 0;
      for (size_t k = 0; k < 3; ++k)
        sum += static_cast<double>(bf16(a[3 * i + k])) * static_cast<double>(bf16(b[3 * j + k]));
      const float rounded = bf16(static_cast<float>(sum));
      EXPECT_NEAR(found[0].data<float>()[4 * i + j], 2 * rounded, 1e-2 * rounded);
      EXPECT_EQ(bf16(found[0].data<float>()[4 * i + j]), found[0].data<float>()[4 * i + j]);
    }
  for (const size_t gradient : {size_t{2}, size_t{3}})
    for (const float value : found[gradient].data<float>()) EXPECT_EQ(bf16(value), value);
}

}  // namespace
}  // namespace tessera::testing
