// Programs whose parameters change from run to run.
#include <gtest/gtest.h>

#include "tessera/ops/registry.h"
#include "tessera/runtime/program.h"

namespace tessera {
namespace {

Tensor tensor_of(std::initializer_list<float> values) {
  return Tensor::of<float>(std::span(values.begin(), values.size()),
                           {static_cast<int64_t>(values.size())});
}

std::vector<float> values_of(const Tensor& tensor) {
  return {tensor.data<float>().begin(), tensor.data<float>().end()};
}

TEST(Updates, AParameterHasItsNewValueInTheNextRun) {
  const Graph graph = parse_graph(
      "input x : f32[2]\n"
      "parameter w : f32[2]\n"
      "y = mul(x, w) : f32[2]\n"
      "w2 = add(w, x) : f32[2]\n"
      "output y\n"
      "update w = w2\n",
      find_op);
  EXPECT_EQ(to_string(parse_graph(to_string(graph), find_op)), to_string(graph));
  Tensor w = tensor_of({1, 10});
  Program program = Program::compile(graph, std::vector<Tensor>{w});
  const Tensor x = tensor_of({2, 3});
  EXPECT_EQ(values_of(program.run({&x, 1})[0]), (std::vector<float>{2, 30}));
  EXPECT_EQ(values_of(w), (std::vector<float>{3, 13})) << "the caller's tensor has it too";
  EXPECT_EQ(values_of(program.run({&x, 1})[0]), (std::vector<float>{6, 39}));
}

TEST(Updates, EveryReadOfAParameterInARunSeesItsOldValue) {
  // The optimizer's op could write in place, but a later node still reads the parameter.
  const Graph graph = parse_graph(
      "input g : f32[3]\n"
      "input rate : f32[]\n"
      "parameter w : f32[3]\n"
      "parameter m : f32[3]\n"
      "w2, m2 = momentum_update(w, g, m, rate) {momentum=0.5} : f32[3], f32[3]\n"
      "late = neg(w) : f32[3]\n"
      "output late\n"
      "update w = w2\n"
      "update m = m2\n",
      find_op);
  Tensor w = tensor_of({1, 2, 3});
  Tensor m = tensor_of({2, 2, 2});
  Program program = Program::compile(graph, std::vector<Tensor>{w, m});
  const std::vector<Tensor> inputs = {tensor_of({1, 1, 1}), Tensor::scalar(0.5F)};
  EXPECT_EQ(values_of(program.run(inputs)[0]), (std::vector<float>{-1, -2, -3}));
  EXPECT_EQ(values_of(m), (std::vector<float>{2, 2, 2}));
  EXPECT_EQ(values_of(w), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(values_of(program.run(inputs)[0]), (std::vector<float>{0, -1, -2}));
}

TEST(Updates, AnOptimizersStepIsWrittenWhereTheParameterLies) {
  const Graph graph = parse_graph(
      "input g : f32[3]\n"
      "input rate : f32[]\n"
      "parameter w : f32[3]\n"
      "parameter m : f32[3]\n"
      "w2, m2 = momentum_update(w, g, m, rate) {momentum=0.5} : f32[3], f32[3]\n"
      "update w = w2\n"
      "update m = m2\n",
      find_op);
  const Program program =
      Program::compile(graph, std::vector<Tensor>{tensor_of({1, 2, 3}), tensor_of({2, 2, 2})});
  EXPECT_EQ(program.activation_bytes(), 0);
}

TEST(Updates, ARateThatIsNoNumberChangesNothing) {
  const Graph graph = parse_graph(
      "input g : f32[2]\n"
      "input rate : f32[]\n"
      "parameter w : f32[2]\n"
      "parameter m : f32[2]\n"
      "parameter v : f32[2]\n"
      "w2, m2, v2 = adam_update(w, g, m, v, rate, rate, rate) : f32[2], f32[2], f32[2]\n"
      "update w = w2\n"
      "update m = m2\n"
      "update v = v2\n",
      find_op);
  Tensor w = tensor_of({1, 2});
  Tensor m = tensor_of({3, 4});
  Tensor v = tensor_of({5, 6});
  Program program = Program::compile(graph, std::vector<Tensor>{w, m, v});
  const std::vector<Tensor> inputs = {tensor_of({7, 8}),
                                      Tensor::scalar(std::numeric_limits<float>::quiet_NaN())};
  program.run(inputs);
  EXPECT_EQ(values_of(w), (std::vector<float>{1, 2}));
  EXPECT_EQ(values_of(m), (std::vector<float>{3, 4}));
  EXPECT_EQ(values_of(v), (std::vector<float>{5, 6}));
}

TEST(Updates, OfTwoParametersByEachOtherAreRefused) {
  const Graph graph = parse_graph(
      "input x : f32[2]\n"
      "parameter a : f32[2]\n"
      "parameter b : f32[2]\n"
      "b2 = add(b, x) : f32[2]\n"
      "update a = b\n"
      "update b = b2\n",
      find_op);
  EXPECT_THROW(
      (void)Program::compile(graph, std::vector<Tensor>{tensor_of({1, 2}), tensor_of({3, 4})}),
      Error);
}

}  // namespace
}  // namespace tessera
