// Several runs of one program side by side.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tessera/comm/communicator.h"
#include "tessera/ops/registry.h"
#include "tessera/runtime/measure_runs.h"
#include "tests/support/error_of.h"
#include "tests/support/random_cnn.h"

namespace tessera {
namespace {

using testing::error_of;
using testing::random_tensors;
using testing::RandomCnn;

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && std::ranges::equal(x.bytes(), y.bytes());
  });
}

/// Calls `call(i)` in `count` threads at once.
template <typename Call>
void in_threads(size_t count, const Call& call) {
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) threads.emplace_back([&call, i] { call(i); });
  for (std::thread& thread : threads) thread.join();
}

TEST(Streams, EveryCallerGetsWhatItWouldGetAlone) {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    const Graph graph = RandomCnn(seed).graph();
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + to_string(graph));
    const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, seed);
    Program alone =
        Program::compile(graph, parameters, {.threads = 1 + static_cast<int>(seed % 2)});
    Program program = Program::compile(
        graph, parameters, {.threads = 3 + 3 * static_cast<int>(seed % 2), .streams = 3});
    constexpr size_t kCallers = 5;  // more than streams
    std::vector<std::vector<Tensor>> inputs;
    std::vector<std::vector<Tensor>> wanted;
    for (size_t i = 0; i < kCallers; ++i) {
      inputs.push_back(random_tensors(graph, graph.inputs, static_cast<uint32_t>(100 * i) + seed));
      wanted.push_back(alone.run(inputs.back()));
    }
    std::vector<int> wrong(kCallers, 0);
    in_threads(kCallers, [&](size_t i) {
      for (int run = 0; run < 6; ++run)
        wrong[i] += same_bits(program.run(inputs[i]), wanted[i]) ? 0 : 1;
    });
    EXPECT_EQ(wrong, std::vector<int>(kCallers, 0));
  }
}

TEST(Streams, EachHasActivationsOfItsOwnAndAllShareTheWeights) {
  const Graph graph = RandomCnn(3).graph();
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 3);
  const Program one = Program::compile(graph, parameters, {.threads = 1});
  const Program four = Program::compile(graph, parameters, {.threads = 4, .streams = 4});
  EXPECT_EQ(four.activation_bytes(), 4 * one.activation_bytes());
  EXPECT_EQ(four.memory().formatted, one.memory().formatted);
  EXPECT_EQ(four.weight_bytes(), one.weight_bytes());
  EXPECT_NE(four.explain().find("4 runs go on side by side"), std::string::npos);
}

TEST(Streams, ARunThatFailsLeavesItsStreamToTheNext) {
  const Graph graph = parse_graph(
      "input i : i32[2]\nparameter t : f32[3,2]\ny = embedding(i, t) : f32[2,2]\noutput y\n",
      find_op);
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 1);
  Program program = Program::compile(graph, parameters, {.threads = 2, .streams = 2});
  const Tensor good = Tensor::of<int32_t>(std::vector<int32_t>{0, 2}, {2});
  const Tensor bad = Tensor::of<int32_t>(std::vector<int32_t>{0, 3}, {2});
  const std::vector<Tensor> wanted = program.run({&good, 1});
  std::vector<int> failures(4, 0);
  in_threads(failures.size(), [&](size_t i) {
    for (int run = 0; run < 5; ++run)
      failures[i] += error_of([&] { program.run({&bad, 1}); }).empty() ? 0 : 1;
  });
  EXPECT_EQ(failures, std::vector<int>(4, 5));
  EXPECT_TRUE(same_bits(program.run({&good, 1}), wanted));
}

TEST(Streams, AreRefusedWhereRunsCannotGoOnSideBySide) {
  const Graph graph = parse_graph(
      "input x : f32[2]\nparameter w : f32[2]\ny = mul(x, w) : f32[2]\noutput y\n", find_op);
  Graph training = graph;
  training.updates.push_back({graph.parameters[0], graph.outputs[0]});
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 1);
  const auto refusal = [&](const Graph& of, const CompileOptions& options) {
    return error_of([&] { (void)Program::compile(of, parameters, options); });
  };
  EXPECT_NE(refusal(graph, {.threads = 2, .streams = 0}).find("wanted at least 1"),
            std::string::npos);
  EXPECT_NE(refusal(graph, {.threads = 2, .streams = 3}).find("3 streams are asked for and 2"),
            std::string::npos);
  EXPECT_NE(refusal(training, {.threads = 2, .streams = 2}).find("changes the parameter 'w'"),
            std::string::npos);
  run_world({.backend = "single"}, [&](Communicator& world) {
    EXPECT_NE(refusal(graph, {.threads = 2, .streams = 2, .world = &world}).find("one stream only"),
              std::string::npos);
  });
}

TEST(Streams, MeasuredRunsAreCountedOnceEach) {
  const Graph graph = RandomCnn(1).graph();
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 1);
  const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 2);
  Program program = Program::compile(graph, parameters, {.threads = 2, .streams = 2});
  EXPECT_EQ(measure_runs(program, inputs, 2, 0).runs, 2) << "each caller runs it once at least";
  const RunTimes times = measure_runs(program, inputs, 2, 0.05);
  EXPECT_GE(times.elapsed_seconds, 0.05);
  EXPECT_LE(times.best_seconds, times.median_seconds);
  // Two callers: no more time than twice the clock's.
  EXPECT_LE(times.best_seconds * static_cast<double>(times.runs), 2.01 * times.elapsed_seconds);
  EXPECT_THROW(measure_runs(program, inputs, 0, 0), Error);
}

}  // namespace
}  // namespace tessera
