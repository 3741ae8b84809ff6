#include "tessera/runtime/program.h"

#include <gtest/gtest.h>

#include <random>

#include "tessera/ops/registry.h"
#include "tessera/ops/threads.h"
#include "tessera/runtime/internal/memory_plan.h"
#include "tests/support/evaluate_graph.h"
#include "tests/support/random_cnn.h"

namespace tessera {
namespace {

using testing::evaluate_graph;
using testing::largest_difference;
using testing::random_tensors;
using testing::RandomCnn;

Graph graph_of(std::string_view text) {
  return parse_graph(text, find_op);
}

Tensor tensor_of(std::initializer_list<float> values, Shape shape) {
  return Tensor::of<float>(std::span(values.begin(), values.size()), std::move(shape));
}

std::vector<float> values_of(const Tensor& tensor) {
  return {tensor.data<float>().begin(), tensor.data<float>().end()};
}

TEST(MemoryPlan, BlocksThatLiveTogetherNeverOverlap) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<internal::Lifetime> lives(1 + random() % 30);
    for (internal::Lifetime& life : lives) {
      life.bytes = static_cast<int64_t>(random() % 5000);
      life.first = static_cast<int>(random() % 20);
      life.last = life.first + static_cast<int>(random() % 6);
    }
    const internal::MemoryPlan plan = internal::plan_memory(lives);
    int64_t sum = 0;
    for (size_t a = 0; a < lives.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % 64, 0);
      EXPECT_LE(plan.offsets[a] + lives[a].bytes, plan.total);
      sum += (lives[a].bytes + 63) / 64 * 64;
      for (size_t b = 0; b < a; ++b) {
        const bool together = lives[a].first <= lives[b].last && lives[b].first <= lives[a].last;
        const bool apart = plan.offsets[a] + lives[a].bytes <= plan.offsets[b] ||
                           plan.offsets[b] + lives[b].bytes <= plan.offsets[a];
        EXPECT_TRUE(!together || apart || lives[a].bytes == 0 || lives[b].bytes == 0);
      }
    }
    EXPECT_EQ(plan.without_reuse, sum);
    EXPECT_LE(plan.peak, plan.total);
    EXPECT_LE(plan.total, plan.without_reuse);
  }
}

TEST(MemoryPlan, AChainNeedsTwoBlocksOnly) {
  std::vector<internal::Lifetime> chain;
  for (int i = 0; i < 10; ++i) chain.push_back({64, i, i + 1});
  EXPECT_EQ(internal::plan_memory(chain).total, 128);
}

TEST(Program, GivesWhatTheNodesGiveOneByOne) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    const Graph graph = RandomCnn(seed).graph();
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + to_string(graph));
    const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, seed);
    const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, seed + 1);
    const std::vector<Tensor> wanted = evaluate_graph(graph, parameters, inputs);
    for (const bool reference_only : {false, true}) {
      Program program = Program::compile(
          graph, parameters,
          {.threads = 1 + static_cast<int>(seed % 2), .reference_only = reference_only});
      for (int run = 0; run < 2; ++run) {  // the arena holds what the run before left
        const std::vector<Tensor> found = program.run(inputs);
        ASSERT_EQ(found.size(), wanted.size());
        for (size_t i = 0; i < wanted.size(); ++i) {
          EXPECT_LT(largest_difference(wanted[i], found[i]), reference_only ? 1e-6 : 2e-5)
              << program.explain();
        }
      }
    }
  }
}

TEST(Program, InputsAndConstantsMayBeOutputs) {
  const Graph graph = graph_of(
      "input x : f32[4]\n"
      "parameter p : f32[4]\n"
      "constant c : f32[2] = {5, 6}\n"
      "y = reshape(x) {shape=[2,2]} : f32[2,2]\n"
      "s = add(x, p) : f32[4]\n"
      "t = reshape(s) {shape=[2,2]} : f32[2,2]\n"
      "output x\noutput y\noutput c\noutput p\noutput s\noutput t\noutput s\n");
  Program program = Program::compile(graph, {{tensor_of({1, 1, 1, 1}, {4})}});
  const Tensor x = tensor_of({1, 2, 3, 4}, {4});
  const std::vector<Tensor> found = program.run({&x, 1});
  ASSERT_EQ(found.size(), 7U);
  EXPECT_EQ(values_of(found[0]), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(found[1].shape(), (Shape{2, 2}));
  EXPECT_EQ(values_of(found[1]), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values_of(found[2]), (std::vector<float>{5, 6}));
  EXPECT_EQ(values_of(found[3]), (std::vector<float>{1, 1, 1, 1}));
  for (const size_t i : {size_t{4}, size_t{5}, size_t{6}}) {
    EXPECT_EQ(values_of(found[i]), (std::vector<float>{2, 3, 4, 5}));
  }
  EXPECT_EQ(found[5].shape(), (Shape{2, 2}));
  for (const Tensor& tensor : found) EXPECT_NE(tensor.buffer(), x.buffer());
}

TEST(Program, OutputsOfEarlierRunsStayAsTheyAre) {
  const Graph graph = graph_of("input x : f32[3]\ny = neg(x) : f32[3]\noutput y\n");
  Program program = Program::compile(graph, {});
  const Tensor a = tensor_of({1, 2, 3}, {3});
  const Tensor b = tensor_of({4, 5, 6}, {3});
  const Tensor first = program.run({&a, 1})[0];
  const Tensor second = program.run({&b, 1})[0];
  EXPECT_EQ(values_of(first), (std::vector<float>{-1, -2, -3}));
  EXPECT_EQ(values_of(second), (std::vector<float>{-4, -5, -6}));
}

TEST(Program, AnInputThatIsASliceIsReadInItsOwnOrder) {
  const Graph graph = graph_of("input x : f32[2,2]\ny = neg(x) : f32[2,2]\noutput y\n");
  Program program = Program::compile(graph, {});
  const Tensor slice = tensor_of({1, 2, 3, 4, 5, 6}, {2, 3}).slice({{0, 1}, {2, 2}});
  EXPECT_EQ(values_of(program.run({&slice, 1})[0]), (std::vector<float>{-2, -3, -5, -6}));
}

// Ended by gelu: the kernel that overwrites the residual.
constexpr std::string_view kResidual =
    "input x : f32[1,16,6,6]\n"
    "parameter w : f32[16,16,3,3]\n"
    "parameter b : f32[16]\n"
    "r = relu(x) : f32[1,16,6,6]\n"
    "y = conv2d(r, w, b, r) {activation=\"gelu\"} : f32[1,16,6,6]\n"
    "z = add(y, r) : f32[1,16,6,6]\n"
    "output z\n";

TEST(Program, AResidualThatIsStillNeededIsCopiedFirst) {
  const Graph graph = graph_of(kResidual);
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
  const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 4);
  Program program = Program::compile(graph, parameters);
  EXPECT_NE(program.explain().find("the next step overwrites it"), std::string::npos)
      << program.explain();
  EXPECT_LT(
      largest_difference(evaluate_graph(graph, parameters, inputs)[0], program.run(inputs)[0]),
      1e-5);
}

TEST(Program, ConvolutionsWriteRightIntoTheirConcat) {
  const Graph graph = graph_of(
      "input x : f32[3,16,9,7]\n"
      "parameter v : f32[20,16,1,1]\n"
      "parameter w : f32[32,16,3,3]\n"
      "a = conv2d(x, v) : f32[3,20,9,7]\n"
      "b = conv2d(x, w) {activation=\"relu\"} : f32[3,32,9,7]\n"
      "c = max_pool(b) {kernel=[3,3], pad_mode=\"same\", stride=[1,1]} : f32[3,32,9,7]\n"
      "y = concat(a, b, c) {axis=1} : f32[3,84,9,7]\n"  // b is read by the pool too: it is copied
      "z = concat(y, a) {axis=1} : f32[3,104,9,7]\n"    // a as well
      "m = reduce_mean(z) {axis=[2,3]} : f32[3,104]\n"
      "output m\n");
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
  const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 4);
  const Tensor wanted = evaluate_graph(graph, parameters, inputs)[0];
  for (const int threads : {1, 2}) {
    Program program = Program::compile(graph, parameters, {.threads = threads});
    EXPECT_NE(program.explain().find("in place"), std::string::npos) << program.explain();
    EXPECT_NE(program.explain().find("inside"), std::string::npos) << program.explain();
    for (int run = 0; run < 2; ++run) {
      EXPECT_LT(largest_difference(wanted, program.run(inputs)[0]), 1e-5);
    }
  }
}

/// One has the padding of 20 channels, the other is a weight's gradient.
TEST(Program, BlockedFormatsAndOneNumberAreFastAndRight) {
  const Graph graph = graph_of(
      "input x : f32[2,16,8,8]\n"
      "input dy : f32[2,32,8,8]\n"
      "input n : f32[]\n"
      "parameter v : f32[20,16,1,1]\n"
      "g = conv2d_weight_grad(x, dy) {kernel=[3,3]} : f32[32,16,3,3]\n"
      "y = div(g, n) : f32[32,16,3,3]\n"
      "a = conv2d(x, v) : f32[2,20,8,8]\n"
      "z = add(n, a) : f32[2,20,8,8]\n"
      "r = relu(z) : f32[2,20,8,8]\n"
      "output y\n"
      "output r\n");
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
  std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 4);
  inputs[2] = tensor_of({8}, {});
  const std::vector<Tensor> wanted = evaluate_graph(graph, parameters, inputs);
  Program program = Program::compile(graph, parameters, {.threads = 1});
  EXPECT_EQ(program.explain().find("ref:any"), std::string::npos) << program.explain();
  const std::vector<Tensor> found = program.run(inputs);
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_LT(largest_difference(wanted[i], found[i]), 1e-5) << i;
}

TEST(Program, TimesItsSteps) {
  const Graph graph = graph_of(kResidual);
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
  const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 4);
  Program program = Program::compile(graph, parameters);
  double products = 0;
  for (const StepTime& step : program.time_steps(inputs)) {
    EXPECT_GE(step.seconds, 0) << step.name;
    EXPECT_FALSE(step.op.empty());
    products += step.multiply_adds;
  }
  EXPECT_EQ(products, multiply_adds(graph));
}

TEST(Program, ExplainsKernelsReasonsAndMemory) {
  const Graph graph = graph_of(kResidual);
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
  const std::string text =
      Program::compile(graph, parameters, {.threads = 2, .reference_only = true}).explain();
  for (const std::string_view part :
       {"conv2d", "reference", "not onednn: reference kernels only were asked for", "plain",
        "3 steps, 0 of them reorders; at most 2 threads", "activations: ", "weights: "}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

TEST(Program, WhatDependsOnParametersAloneIsComputedOnce) {
  const Graph graph = graph_of(
      "input x : f32[2]\n"
      "parameter p : f32[2]\n"
      "q = exp(p) : f32[2]\n"
      "y = mul(x, q) : f32[2]\n"
      "unused = sqrt(x) : f32[2]\n"
      "output y\n");
  const Program program = Program::compile(graph, {{tensor_of({0, 0}, {2})}});
  EXPECT_NE(program.explain().find("1 steps, 0 of them"), std::string::npos) << program.explain();
  EXPECT_NE(program.explain().find("computed when compiled: q = exp"), std::string::npos);
}

TEST(Program, ThatRunsOnceReadsLargeWeightsWhereTheyLie) {
  const Graph graph = graph_of(
      "input x : f32[2,64,7,7]\n"
      "parameter w : f32[64,64,3,3]\n"
      "parameter s : f32[64,1,1,1]\n"
      "parameter b : f32[64]\n"
      "parameter d : f32[36,3136]\n"
      "v = mul(w, s) : f32[64,64,3,3]\n"
      "y = conv2d(x, v, b, x) {activation=\"relu\"} : f32[2,64,7,7]\n"
      "f = flatten(y) : f32[2,3136]\n"
      "z = dense(f, d) : f32[2,36]\n"
      "output z\n");
  std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
  const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 4);
  const Tensor wanted = evaluate_graph(graph, parameters, inputs)[0];
  for (const int threads : {1, 2}) {
    Program program = Program::compile(graph, parameters, {.threads = threads, .runs_once = true});
    const std::string text = program.explain();
    EXPECT_NE(text.find("(as stored)"), std::string::npos) << text;
    EXPECT_LT(program.memory().formatted, 64 * 1024) << text;
    if (threads == 2) parameters.clear();  // the program keeps what it reads
    EXPECT_LT(largest_difference(wanted, program.run(inputs)[0]), 2e-5) << text;
  }
}

// Each kernel that may compute the convolution gets its weights its own way: packed and scaled at
// once, packed from the product, or the product itself.
TEST(Program, WeightsAreScaledHoweverTheirKernelTakesThem) {
  for (const int channels : {5, 16, 128}) {
    for (const int kernel : {1, 3}) {
      const Graph graph =
          graph_of(fmt::format("input x : f32[2,16,9,7]\n"
                               "parameter w : f32[{0},16,{1},{1}]\n"
                               "parameter s : f32[{0},1,1,1]\n"
                               "parameter b : f32[{0}]\n"
                               "v = mul(w, s) : f32[{0},16,{1},{1}]\n"
                               "y = conv2d(x, v, b) {{activation=\"relu\"}} : f32[2,{0},9,7]\n"
                               "z = conv2d(x, v) : f32[2,{0},9,7]\n"
                               "output y\noutput z\n",
                               channels, kernel));
      const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
      const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 4);
      const std::vector<Tensor> wanted = evaluate_graph(graph, parameters, inputs);
      for (const CompileOptions& options :
           {CompileOptions{.threads = 1}, CompileOptions{.threads = 2},
            CompileOptions{.runs_once = true}, CompileOptions{.reference_only = true},
            CompileOptions{.deterministic = true}}) {
        Program program = Program::compile(graph, parameters, options);
        const std::string text = program.explain();
        EXPECT_NE(text.find("computed when compiled: v = mul"), std::string::npos) << text;
        const std::vector<Tensor> found = program.run(inputs);
        for (size_t i = 0; i < wanted.size(); ++i) {
          EXPECT_LT(largest_difference(wanted[i], found[i]), 2e-5) << text;
        }
        CompileOptions planned = options;
        planned.plan_only = true;
        EXPECT_EQ(Program::compile(graph, parameters, planned).memory().formatted,
                  program.memory().formatted);
      }
    }
  }
}

TEST(Program, AScaledWeightThatIsAnOutputIsTheProduct) {
  const Graph graph = graph_of(
      "input x : f32[1,16,5,5]\nparameter w : f32[32,16,3,3]\nparameter s : f32[32,1,1,1]\n"
      "v = mul(w, s) : f32[32,16,3,3]\ny = conv2d(x, v) : f32[1,32,5,5]\noutput y\noutput v\n");
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
  const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 4);
  const std::vector<Tensor> found = Program::compile(graph, parameters).run(inputs);
  const std::vector<Tensor> wanted = evaluate_graph(graph, parameters, inputs);
  EXPECT_LT(largest_difference(wanted[0], found[0]), 1e-5);
  EXPECT_EQ(values_of(wanted[1]), values_of(found[1]));
}

TEST(Program, SaysWhatDoesNotFit) {
  const Graph graph =
      graph_of("input x : f32[2]\nparameter p : f32[2]\ny = add(x, p) : f32[2]\noutput y\n");
  const auto message = [](auto action) -> std::string {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
    return "";
  };
  const Tensor good = tensor_of({1, 2}, {2});
  const Tensor long_one = tensor_of({1, 2, 3}, {3});
  EXPECT_NE(message([&] { (void)Program::compile(graph, {}); }).find("1 parameters, 0 tensors"),
            std::string::npos);
  EXPECT_NE(message([&] {
              (void)Program::compile(graph, {{long_one}});
            }).find("parameter 'p' is f32[3], the program wants f32[2]"),
            std::string::npos);
  Program program = Program::compile(graph, {{good}});
  EXPECT_NE(message([&] {
              (void)program.run({&long_one, 1});
            }).find("input 'x' is f32[3]"),
            std::string::npos);
  EXPECT_NE(message([&] { (void)program.run({}); }).find("1 inputs"), std::string::npos);
}

TEST(Program, ErrorsOfARunNameTheNodeAndLeaveTheProgramUsable) {
  const Graph graph = graph_of(
      "input x : f32[3]\ninput i : i32[1]\n"
      "y = gather(x, i) {axis=0} : f32[1]\noutput y\n");
  Program program = Program::compile(graph, {});
  const Tensor x = tensor_of({1, 2, 3}, {3});
  const std::array<Tensor, 2> bad = {x, Tensor::of<int32_t>(std::array<int32_t, 1>{9}, {1})};
  try {
    program.run(bad);
    FAIL() << "9 is no index of 3 elements";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("running 'y' (gather)"), std::string::npos)
        << error.what();
  }
  const std::array<Tensor, 2> good = {x, Tensor::of<int32_t>(std::array<int32_t, 1>{2}, {1})};
  EXPECT_EQ(values_of(program.run(good)[0]), (std::vector<float>{3}));
}

TEST(Program, APlanNeedsWhatTheProgramNeedsAndDoesNotRun) {
  const Graph graph = graph_of(
      "input x : f32[64,256]\nparameter w : f32[512,256]\nparameter s : f32[512]\n"
      "v1 = dense(x, w) : f32[64,512]\nv2 = neg(s) : f32[512]\nv3 = add(v1, v2) : f32[64,512]\n"
      "output v3\n");
  const std::array<Tensor, 2> parameters = {Tensor(DType::kF32, {512, 256}),
                                            Tensor(DType::kF32, {512})};
  Program plan = Program::compile(graph, parameters, {.threads = 1, .plan_only = true});
  const ProgramMemory planned = plan.memory();
  const ProgramMemory real = Program::compile(graph, parameters, {.threads = 1}).memory();
  EXPECT_EQ(planned.formatted, real.formatted);
  EXPECT_GE(planned.formatted, 512 * 4);  // v2
  EXPECT_EQ(planned.kernels, real.kernels);
  EXPECT_EQ(planned.activations, real.activations);
  EXPECT_EQ(planned.inputs, 64 * 256 * 4);
  EXPECT_EQ(planned.outputs, 64 * 512 * 4);
  const std::array<Tensor, 1> x = {Tensor(DType::kF32, {64, 256})};
  EXPECT_THROW(plan.run(x), Error);
}

TEST(ThreadLimit, HoldsForItsScope) {
  const int before = thread_limit();
  {
    const ThreadLimit outer(3);
    EXPECT_EQ(thread_limit(), 3);
    {
      const ThreadLimit inner(0);
      EXPECT_EQ(thread_limit(), 1);
    }
    EXPECT_EQ(thread_limit(), 3);
  }
  EXPECT_EQ(thread_limit(), before);
}

}  // namespace
}  // namespace tessera
