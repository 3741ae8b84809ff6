// How long a training step takes: the external command of a comparison with other engines.
//
//   bench_train MODEL BATCH THREADS SECONDS [ops]
//
// MODEL of the zoo, Momentum, random images and labels. Prints one JSON object: step_ms (the median
// step), images_per_s, activation_mib; with `ops` also the kernels that take longest.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>

#include "bench/arguments.h"
#include "tessera/base/random.h"
#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/passes/pass.h"
#include "tessera/passes/training.h"
#include "tessera/runtime/program.h"
#include "tessera/train/train_graph.h"
#include "tessera/zoo/zoo.h"

namespace tessera {
namespace {

Tensor random_tensor(const TensorType& type, std::string_view name, double scale) {
  const RandomStream random(1, name);
  Tensor tensor(DType::kF32, type.global);
  const std::span<float> x = tensor.mutable_data<float>();
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>((2 * unit_interval(random.bits(i)) - 1) * scale);
  return tensor.cast(type.dtype);
}

/// Weights that neither die out nor explode, ones for what scales, zeros for the rest.
Tensor first_value(const Graph& graph, ValueId id) {
  const std::string& name = graph.values[static_cast<size_t>(id)].name;
  const TensorType type = graph.type(id);
  double bound = 0;
  const bool is_kept = name.starts_with("moments.");
  if (!is_kept && type.global.size() > 1)
    bound = std::sqrt(6.0 * static_cast<double>(type.global[0]) /
                      static_cast<double>(element_count(type.global)));
  Tensor value = random_tensor(type, name, bound);
  if (!is_kept && (name.ends_with("gamma") || name.ends_with("moving_variance")))
    std::ranges::fill(value.mutable_data<float>(), 1.0F);
  return value;
}

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) {
    const ValueInfo& value = graph.values[static_cast<size_t>(id)];
    const bool is_rate = value.name == "learning_rate";
    inputs.push_back(random_tensor(graph.type(id), value.name, value.name == "labels" ? 0 : 1));
    if (is_rate) inputs.back().mutable_data<float>()[0] = 1e-4F;
  }
  return inputs;
}

void print_ops(Program& program, std::span<const Tensor> inputs) {
  std::map<std::string, double> seconds;
  double all = 0;
  for (const StepTime& step : program.time_steps(inputs)) {
    seconds[fmt::format("{} [{}]", step.op.substr(0, step.op.find(' ')), step.kernel)] +=
        step.seconds;
    all += step.seconds;
  }
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [op, s] : seconds) order.emplace_back(s, op);
  std::ranges::sort(order, std::greater<>());
  for (const auto& [s, op] : order)
    if (s > 0.005 * all)
      fmt::print(stderr, "{:9.2f} ms {:5.1f} %  {}\n", s * 1e3, 100 * s / all, op);
}

int run(std::span<char*> arguments) {
  require(arguments.size() >= 4, "usage: bench_train MODEL BATCH THREADS SECONDS [ops]");
  const ModelSpec model = parse_model(arguments[0]);
  const int64_t batch = bench::positive(arguments[1]);
  TrainRecipe recipe;
  recipe.optimizer = parse_optimizer("momentum(learning_rate=0.0001,momentum=0.9)");
  const TrainGraph step = make_train_graph(
      to_training(trace(model, batch, model.model->row_shape(model.options))), recipe);
  std::vector<Tensor> parameters;
  for (const ValueId id : step.graph.parameters) parameters.push_back(first_value(step.graph, id));
  CompileOptions options;
  options.threads = static_cast<int>(bench::positive(arguments[2]));
  const Graph graph = run_passes(step.graph, inference_passes());
  Program program = Program::compile(graph, parameters, options);
  const std::vector<Tensor> inputs = inputs_of(graph);
  const double limit = static_cast<double>(bench::positive(arguments[3]));
  (void)program.run(inputs);
  std::vector<double> seconds;
  const Stopwatch all;
  while (all.seconds() < limit || seconds.size() < 3) {
    const Stopwatch one;
    (void)program.run(inputs);
    seconds.push_back(one.seconds());
  }
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2];
  fmt::print("{{\"step_ms\": {:.3f}, \"images_per_s\": {:.2f}, \"activation_mib\": {:.1f}}}\n",
             median * 1e3, static_cast<double>(batch) / median,
             static_cast<double>(program.activation_bytes()) / 1048576.0);
  if (arguments.size() > 4) print_ops(program, inputs);
  return 0;
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  try {
    return tessera::run(std::span(argv, static_cast<size_t>(argc)).subspan(1));
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
