#include "tests/golden/step_run.h"

#include <algorithm>

#include "tessera/passes/split_ends.h"
#include "tessera/passes/training.h"

namespace tessera::testing {
namespace {

/// The graph with every float32 as a float64.
Graph in_f64(Graph graph) {
  const auto wide = [](DType dtype) { return dtype == DType::kF32 ? DType::kF64 : dtype; };
  for (ValueInfo& value : graph.values) value.dtype = wide(value.dtype);
  for (auto& [id, tensor] : graph.constants) tensor = tensor.cast(wide(tensor.dtype()));
  for (Node& node : graph.nodes)
    if (node.op->name == "cast" && std::get<std::string>(node.attrs.at("dtype")) == "f32")
      node.attrs.at("dtype") = std::string("f64");
  verify(graph);
  return graph;
}

TrainGraph step_of(const Graph& network, const TrainRecipe& recipe, DType width) {
  TrainGraph step = make_train_graph(split_ends(to_training(network, {})), recipe);
  if (width == DType::kF64) step.graph = in_f64(std::move(step.graph));
  return step;
}

}  // namespace

StepRun::StepRun(const Graph& network, const std::vector<Tensor>& weights, TrainRecipe recipe,
                 const CompileOptions& options, DType width)
    : recipe_(std::move(recipe)),
      width_(width),
      step_(step_of(network, recipe_, width)),
      program_(Program::compile(step_.graph, first_parameters(network, weights), options)),
      powers_(step_.powers.size(), 1.0) {}

std::vector<Tensor> StepRun::first_parameters(const Graph& network,
                                              const std::vector<Tensor>& weights) const {
  std::vector<Tensor> made;
  for (const ValueId id : step_.graph.parameters) {
    const ValueInfo& value = step_.graph.values[static_cast<size_t>(id)];
    const auto kept = std::ranges::find(step_.kept, value.name, &KeptTensor::name);
    if (kept != step_.kept.end()) {
      Tensor filled(DType::kF64, value.shape);
      std::ranges::fill(filled.mutable_data<double>(), kept->initial);
      made.push_back(filled.cast(value.dtype));
      continue;
    }
    const auto at = std::ranges::find(network.parameters, value.name, [&](ValueId p) {
      return network.values[static_cast<size_t>(p)].name;
    });
    made.push_back(weights[static_cast<size_t>(at - network.parameters.begin())].cast(value.dtype));
  }
  return made;
}

std::vector<double> StepRun::losses(Pipeline rows) {
  std::vector<double> losses;
  while (const std::optional<Batch> batch = rows.next()) {
    std::vector<Tensor> inputs;
    for (const ValueId id : step_.graph.inputs)
      inputs.push_back(input(step_.graph.values[static_cast<size_t>(id)].name, *batch));
    losses.push_back(program_.run(inputs)[0].cast(DType::kF64).data<double>()[0]);
    ++made_;
  }
  return losses;
}

Tensor StepRun::input(const std::string& name, const Batch& batch) {
  const auto number = [&](double value) { return Tensor::scalar(value).cast(width_); };
  if (name == "labels") return batch.labels;
  if (name == "step") return Tensor::scalar(made_);
  if (name == "learning_rate") return number(step_.rates[0].rate(made_));
  for (size_t i = 0; i < powers_.size(); ++i) {
    if (step_.powers[i].name != name) continue;
    const std::string option(step_.powers[i].option);
    powers_[i] *= std::get<double>(recipe_.optimizer.options.at(option));
    return number(powers_[i]);
  }
  return batch.data.cast(width_);
}

}  // namespace tessera::testing
