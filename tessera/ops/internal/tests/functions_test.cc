#include <gtest/gtest.h>

#include "tessera/ops/ops.h"
#include "tessera/ops/registry.h"

namespace tessera {
namespace {

Value input(Graph& graph, std::string name, Shape shape) {
  return {&graph, graph.add_input(std::move(name), DType::kF32, std::move(shape))};
}

TEST(OpFunctions, AddNodesToTheGraphOfTheirOperands) {
  Graph graph;
  const Value x = input(graph, "x", {2, 3, 8, 8});
  const Value weight = input(graph, "weight", {4, 3, 3, 3});
  const Value bias = input(graph, "bias", {4});
  const Value y = relu(conv2d(x, weight, bias, {{"stride", Ints{2, 2}}}));
  EXPECT_EQ(y.shape(), (Shape{2, 4, 4, 4}));
  const Value both = concat({y, y}, {{"axis", 1}});
  graph.outputs = {flatten(both).id};
  verify(graph);
  ASSERT_EQ(graph.nodes.size(), 4U);
  EXPECT_EQ(graph.nodes[0].op, find_op("conv2d"));
  EXPECT_EQ(graph.nodes[0].operands, (std::vector<ValueId>{x.id, weight.id, bias.id}));
  EXPECT_EQ(graph.nodes[2].operands, (std::vector<ValueId>{y.id, y.id}));
  EXPECT_EQ(both.shape(), (Shape{2, 8, 4, 4}));
}

TEST(OpFunctions, GiveNodesTheScopeInForce) {
  Graph graph;
  Value x = input(graph, "x", {2, 3});
  {
    const InScope outer(graph, "block");
    x = relu(x);
    {
      const InScope inner(graph, "block.fc");
      x = neg(x);
    }
    x = exp(x);
  }
  x = tanh(x);
  std::vector<std::string> scopes;
  for (const Node& node : graph.nodes) scopes.push_back(node.scope);
  EXPECT_EQ(scopes, (std::vector<std::string>{"block", "block.fc", "block", ""}));
}

TEST(OpFunctions, RefuseOperandsOfSeveralGraphs) {
  Graph one, other;
  const Value x = input(one, "x", {2});
  const Value y = input(other, "y", {2});
  EXPECT_THROW((void)add(x, y), Error);
  EXPECT_THROW((void)add(x, Value{}), Error);
  EXPECT_THROW((void)concat(std::span<const Value>{}), Error);
  EXPECT_TRUE(one.nodes.empty());
}

}  // namespace
}  // namespace tessera
