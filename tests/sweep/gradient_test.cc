// Every op's gradient against finite differences of its reference kernel, in f64, on the op's own
// examples; and which ops have none.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tessera/ops/ops.h"
#include "tessera/ops/registry.h"
#include "tessera/passes/gradients.h"
#include "tests/support/evaluate_graph.h"
#include "tests/sweep/example_call.h"

namespace tessera::testing {
namespace {

/// Ops through which no gradient flows, each with its reason.
const std::set<std::string, std::less<>> kNone = {
    "argmax",                                                 // gives indices
    "equal",                                                  // gives bool
    "lamb_direction",                                         // an optimizer's
    "all_gather",     "all_reduce",     "all_to_all", "cut",  // are added after the backward pass
    "exchange",       "reduce_scatter",                       //
    "batch_mean",     "batch_variance",                       // batch_norm_train answers for them
};

/// Ops whose gradient is more, or other, than that of their operands: tests/sweep/training_test.cc.
const std::set<std::string, std::less<>> kElsewhere = {"batch_norm_train", "round_to"};

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const OpDef& op : all_ops()) names.emplace_back(op.name);
  return names;
}

class OpGradient : public ::testing::TestWithParam<std::string> {
 protected:
  const OpDef& op() const { return require_op(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Every, OpGradient, ::testing::ValuesIn(op_names()),
                         [](const auto& name) { return name.param; });

/// A graph of one call whose loss weighs every element of every floating-point result differently.
struct Problem {
  Graph graph;
  std::vector<size_t> wanted;  // which operands have gradients: outputs 1, 2, ...
  std::vector<Tensor> inputs;
};

Problem make_problem(const ExampleCall& made) {
  Problem problem;
  Graph& graph = problem.graph;
  std::vector<ValueId> ids;
  for (size_t i = 0; i < made.operands.size(); ++i) {
    const Tensor& operand = made.operands[i];
    ids.push_back(graph.add_input(fmt::format("x{}", i), operand.dtype(), operand.shape()));
    if (operand.dtype() == DType::kF64) problem.wanted.push_back(i);
    problem.inputs.push_back(operand);
  }
  std::optional<Value> loss;
  for (const ValueId id : graph.emit(*made.op, ids, made.attrs)) {
    const Value result{&graph, id};
    if (result.dtype() != DType::kF64) continue;
    Tensor weights(DType::kF64, result.shape());
    const std::span<double> w = weights.mutable_data<double>();
    for (size_t i = 0; i < w.size(); ++i) w[i] = std::sin(1.0 + 2.3 * static_cast<double>(i));
    const Value weighed =
        mul(result, {&graph, graph.add_constant(graph.unused_name("w"), weights)});
    const Value sum = reduce_sum(weighed);
    loss = loss ? add(*loss, sum) : sum;
  }
  if (!loss) return {};
  graph.outputs.push_back(loss->id);
  std::vector<ValueId> wanted;
  for (const size_t i : problem.wanted) wanted.push_back(ids[i]);
  const std::vector<ValueId> gradients = add_gradients(graph, loss->id, wanted);
  graph.outputs.insert(graph.outputs.end(), gradients.begin(), gradients.end());
  verify(graph);
  return problem;
}

double loss_of(const Problem& problem, std::span<const Tensor> inputs) {
  return evaluate_graph(problem.graph, inputs)[0].data<double>()[0];
}

double loss_with(const Problem& problem, size_t operand, size_t element, double step) {
  std::vector<Tensor> inputs = problem.inputs;
  inputs[operand] = inputs[operand].clone();
  inputs[operand].mutable_data<double>()[element] += step;
  return loss_of(problem, inputs);
}

/// At most so many elements of an operand are moved, spread over all of it.
constexpr size_t kElements = 24;
constexpr double kStep = 1e-5;

void expect_finite_differences(const Problem& problem) {
  const std::vector<Tensor> outputs = evaluate_graph(problem.graph, problem.inputs);
  for (size_t g = 0; g < problem.wanted.size(); ++g) {
    const size_t operand = problem.wanted[g];
    const std::span<const double> found = outputs[1 + g].data<double>();
    const size_t stride = std::max<size_t>(1, found.size() / kElements);
    for (size_t i = 0; i < found.size(); i += stride) {
      const double difference =
          (loss_with(problem, operand, i, kStep) - loss_with(problem, operand, i, -kStep)) /
          (2 * kStep);
      EXPECT_NEAR(found[i], difference, 1e-6 * std::max(1.0, std::abs(difference)))
          << "operand " << operand << ", element " << i;
    }
  }
}

TEST_P(OpGradient, EqualsFiniteDifferences) {
  // What the backward pass itself and the optimizers are made of.
  const bool is_behind = GetParam().ends_with("_grad") || GetParam().ends_with("_update");
  if (kNone.contains(GetParam()) || is_behind) {
    EXPECT_EQ(op().gradient, nullptr) << "take it off the list of this test";
    return;
  }
  ASSERT_NE(op().gradient, nullptr) << "no gradient: add one, or name the op in this test";
  if (kElsewhere.contains(GetParam())) return;
  int checked = 0;
  for (const OpExample& example : op().examples) {
    const ExampleCall made = make_call(op(), example, DType::kF64);
    SCOPED_TRACE(made.text());
    const Problem problem = make_problem(made);
    // A root of a number below zero has no gradient either.
    if (problem.wanted.empty() || std::isnan(loss_of(problem, problem.inputs))) continue;
    expect_finite_differences(problem);
    ++checked;
  }
  EXPECT_GT(checked, 0) << "no example is of floating-point numbers";
}

TEST(Gradients, OfAValueThatIsReadTwiceAddUp) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF64, {3})};
  const Value y = add(mul(x, x), x);
  const Value loss = reduce_sum(y);
  const std::vector<ValueId> ids = {x.id};
  graph.outputs = add_gradients(graph, loss.id, ids);
  Tensor at(DType::kF64, {3});
  for (size_t i = 0; i < 3; ++i) at.mutable_data<double>()[i] = static_cast<double>(i) - 1;
  const std::vector<Tensor> found = evaluate_graph(graph, std::vector<Tensor>{at});
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(found[0].data<double>()[i], 2 * (static_cast<double>(i) - 1) + 1);
}

TEST(Gradients, OfWhatTheLossDoesNotDependOnAreZero) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {3})};
  const Value w{&graph, graph.add_parameter("w", DType::kF32, {2, 2})};
  const std::vector<ValueId> ids = {w.id};
  const std::vector<ValueId> made = add_gradients(graph, reduce_sum(x).id, ids);
  EXPECT_EQ(graph.type(made[0]), graph.type(w.id));
  EXPECT_TRUE(graph.constants.contains(made[0]));
}

TEST(Gradients, OfALossOfManyElementsAreRefused) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {3})};
  const std::vector<ValueId> ids = {x.id};
  EXPECT_THROW((void)add_gradients(graph, neg(x).id, ids), Error);
}

}  // namespace
}  // namespace tessera::testing
