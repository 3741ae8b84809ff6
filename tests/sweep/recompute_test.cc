// What recompute computes again: the same numbers in less memory.
#include "tessera/passes/recompute.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tessera/ops/ops.h"
#include "tessera/passes/gradients.h"
#include "tessera/passes/training.h"
#include "tessera/runtime/program.h"

namespace tessera::testing {
namespace {

constexpr int kBlocks = 6;

/// Blocks of convolution, batch norm, relu and dropout; outputs are the loss and all gradients.
Graph network() {
  Graph graph;
  Value x{&graph, graph.add_input("x", DType::kF32, {4, 8, 16, 16})};
  for (int b = 0; b < kBlocks; ++b) {
    const InScope scope(graph, fmt::format("blocks.{}.part", b));
    const auto parameter = [&](std::string_view name, const Shape& shape) {
      return Value{&graph,
                   graph.add_parameter(fmt::format("blocks.{}.{}", b, name), DType::kF32, shape)};
    };
    x = conv2d(x, parameter("weight", {8, 8, 3, 3}));
    const Value gamma = parameter("gamma", {8}), beta = parameter("beta", {8});
    const Value mean = parameter("mean", {8});
    x = batch_norm(x, gamma, beta, mean, parameter("variance", {8}));
    x = dropout(tanh(mul(x, sigmoid(x))), {{"p", 0.1}});
  }
  graph.outputs = {x.id};
  graph = to_training(graph);
  const Value result{&graph, graph.outputs[0]};
  const Value loss = reduce_mean(mul(result, result));
  std::vector<ValueId> wanted;
  for (const ValueId id : graph.parameters)
    if (graph.type(id).global.size() == 4) wanted.push_back(id);
  graph.outputs = {loss.id};
  for (const ValueId id : add_gradients(graph, loss.id, wanted)) graph.outputs.push_back(id);
  return graph;
}

Tensor random_tensor(const TensorType& type, unsigned seed) {
  std::mt19937 random(seed);
  Tensor tensor(DType::kF32, type.global);
  for (float& x : tensor.mutable_data<float>())
    x = std::uniform_real_distribution<float>(-0.3F, 0.5F)(random);
  return tensor.cast(type.dtype);
}

struct Ran {
  std::vector<Tensor> outputs;
  int64_t activation_bytes = 0;
};

Ran run(const Graph& graph) {
  unsigned seed = 1;
  std::vector<Tensor> parameters, inputs;
  for (const ValueId id : graph.parameters)
    parameters.push_back(random_tensor(graph.type(id), seed++));
  for (const ValueId id : graph.inputs) inputs.push_back(random_tensor(graph.type(id), seed++));
  Program program = Program::compile(graph, parameters, {.threads = 1});
  return {program.run(inputs), program.activation_bytes()};
}

TEST(Recompute, GivesTheSameBitsInLessMemory) {
  const Graph graph = network();
  const std::vector<std::string> patterns = {"blocks.*"};
  const Graph again = recompute(graph, graph.outputs[0], patterns).graph;
  verify(again);
  EXPECT_GT(again.nodes.size(), graph.nodes.size());
  const Ran kept = run(graph), made = run(again);
  ASSERT_EQ(kept.outputs.size(), made.outputs.size());
  for (size_t i = 0; i < kept.outputs.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(kept.outputs[i].bytes(), made.outputs[i].bytes())) << i;
  EXPECT_LT(made.activation_bytes, 0.75 * static_cast<double>(kept.activation_bytes));
}

TEST(Recompute, LeavesOtherScopesAlone) {
  const Graph graph = network();
  const std::vector<std::string> first = {"blocks.0"};
  const Graph again = recompute(graph, graph.outputs[0], first).graph;
  for (const Node& node : again.nodes) {
    const std::string& name = again.values[static_cast<size_t>(node.results[0])].name;
    if (name.find(".again") != std::string::npos) {
      EXPECT_EQ(node.scope, "blocks.0.part") << name;
    }
  }
  const std::vector<std::string> none = {"layers.*"};
  EXPECT_THROW((void)recompute(graph, graph.outputs[0], none), Error);
}

}  // namespace
}  // namespace tessera::testing
