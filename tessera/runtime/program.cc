#include "tessera/runtime/program.h"

#include <algorithm>
#include <set>

#include "tessera/base/parallel.h"
#include "tessera/runtime/internal/batch.h"
#include "tessera/runtime/internal/executor.h"
#include "tessera/runtime/internal/explain.h"
#include "tessera/runtime/internal/workers.h"

namespace tessera {
namespace {

void check_tensor(const Tensor& tensor, const Graph& graph, ValueId id, std::string_view what) {
  const TensorType wanted = graph.type(id);
  require(tensor.is_defined() && tensor.dtype() == wanted.dtype && tensor.shape() == wanted.shape(),
          "{} '{}' is {}, the program wants {}", what, graph.values[static_cast<size_t>(id)].name,
          tensor.is_defined() ? describe(tensor) : "undefined", to_string(wanted));
}

/// Rows [begin, end) of a row-major tensor.
Tensor rows_of(const Tensor& tensor, int64_t begin, int64_t end) {
  Shape shape = tensor.shape();
  const int64_t row_bytes = shape[0] == 0 ? 0 : tensor.byte_count() / shape[0];
  shape[0] = end - begin;
  return Tensor::view(tensor.buffer(), tensor.byte_offset() + begin * row_bytes, tensor.dtype(),
                      std::move(shape));
}

}  // namespace

struct Program::State {
  /// Rows of the batch that one executor computes.
  struct Part {
    int64_t begin = 0;
    int64_t end = 0;
    internal::Executor executor;
  };

  std::shared_ptr<const Graph> graph;
  std::vector<Part> parts;  // one: all of the graph, whether it has a batch or not
  std::unique_ptr<internal::Workers> workers;
  std::set<const Buffer*> parameters;  // where those given lie; not owned
  bool plan_only = false;

  bool cut_batch(internal::Constants& constants, const CompileOptions& options);
  static void run_part(Part& part, std::span<const Tensor> inputs, std::span<Tensor> outputs,
                       std::span<double> seconds);
};

/// One part per thread where the rows can be computed apart and are worth it; false otherwise.
bool Program::State::cut_batch(internal::Constants& constants, const CompileOptions& options) {
  constexpr double kWorkPerPart = 1e6;
  const int64_t rows = options.threads > 1 ? internal::batch_of(*graph) : 0;
  const auto worth = static_cast<int64_t>(std::min(internal::work_of(*graph) / kWorkPerPart, 1e6));
  const int64_t count = std::min({int64_t{options.threads}, rows, worth});
  if (count < 2) return false;
  CompileOptions part_options = options;
  part_options.threads = std::max(1, options.threads / static_cast<int>(count));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = rows * i / count;
    const int64_t end = rows * (i + 1) / count;
    std::optional<Graph> cut = internal::with_batch(*graph, end - begin);
    if (!cut) {
      parts.clear();
      return false;
    }
    auto shared = std::make_shared<const Graph>(std::move(*cut));
    parts.push_back({begin, end, internal::Executor(shared, constants, part_options)});
  }
  workers = std::make_unique<internal::Workers>(static_cast<int>(count) - 1);
  return true;
}

Program::Program(std::unique_ptr<State> state) : state_(std::move(state)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

Program Program::compile(const Graph& graph, std::span<const Tensor> parameters,
                         const CompileOptions& options) {
  verify(graph);
  require(parameters.size() == graph.parameters.size(),
          "the graph has {} parameters, {} tensors are given", graph.parameters.size(),
          parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    check_tensor(parameters[i], graph, graph.parameters[i], "parameter");
  }
  auto state = std::make_unique<State>();
  state->graph = std::make_shared<const Graph>(graph);
  state->plan_only = options.plan_only;
  for (const Tensor& tensor : parameters) state->parameters.insert(tensor.buffer().get());
  internal::Constants constants(*state->graph, parameters, options.world, options.plan_only);
  CompileOptions decided = options;
  decided.threads = thread_count(decided.threads);
  if (!state->cut_batch(constants, decided)) {
    state->parts.push_back({0, 0, internal::Executor(state->graph, constants, decided)});
  }
  return Program(std::move(state));
}

void Program::State::run_part(Part& part, std::span<const Tensor> inputs, std::span<Tensor> outputs,
                              std::span<double> seconds) {
  std::vector<Tensor> in;
  std::vector<Tensor> out;
  for (const Tensor& input : inputs) in.push_back(rows_of(input, part.begin, part.end));
  for (const Tensor& output : outputs) out.push_back(rows_of(output, part.begin, part.end));
  part.executor.run(in, out, seconds);
}

std::vector<Tensor> Program::run(std::span<const Tensor> inputs) {
  return run(inputs, {});
}

std::vector<StepTime> Program::time_steps(std::span<const Tensor> inputs) {
  const std::vector<State::Part>& parts = state_->parts;
  std::vector<std::vector<double>> seconds;
  for (const State::Part& part : parts)
    seconds.emplace_back(part.executor.steps().steps.size(), 0.0);
  run(inputs, seconds);
  std::vector<StepTime> times;
  const internal::Steps& steps = parts[0].executor.steps();
  for (size_t i = 0; i < steps.steps.size(); ++i) {
    const internal::Step& step = steps.steps[i];
    StepTime time{step.name, internal::op_text(step), internal::kernel_text(step), 0, 0};
    for (size_t p = 0; p < parts.size(); ++p) {
      time.seconds = std::max(time.seconds, seconds[p][i]);
      if (step.node != nullptr) {
        time.multiply_adds +=
            multiply_adds(parts[p].executor.graph(), *parts[p].executor.steps().steps[i].node);
      }
    }
    times.push_back(std::move(time));
  }
  return times;
}

std::vector<Tensor> Program::run(std::span<const Tensor> inputs,
                                 std::span<std::vector<double>> seconds) {
  const auto seconds_of = [&](size_t part) {
    return seconds.empty() ? std::span<double>() : std::span<double>(seconds[part]);
  };
  State& state = *state_;
  const Graph& graph = *state.graph;
  require(!state.plan_only, "the program was compiled with plan_only: it has no weights to run");
  require(inputs.size() == graph.inputs.size(), "the program has {} inputs, {} tensors are given",
          graph.inputs.size(), inputs.size());
  std::vector<Tensor> given;  // row-major
  for (size_t i = 0; i < inputs.size(); ++i) {
    check_tensor(inputs[i], graph, graph.inputs[i], "input");
    given.push_back(inputs[i].contiguous());
  }
  std::vector<Tensor> outputs;
  for (const ValueId id : graph.outputs) {
    const TensorType type = graph.type(id);
    outputs.emplace_back(type.dtype, type.shape());
  }
  if (state.parts.size() == 1) {
    state.parts[0].executor.run(given, outputs, seconds_of(0));
  } else {
    const auto run_part = [&](size_t i) {
      State::run_part(state.parts[i], given, outputs, seconds_of(i));
    };
    state.workers->run(state.parts.size(), IndexTask(run_part));
  }
  return outputs;
}

std::string Program::explain() const {
  const std::vector<State::Part>& parts = state_->parts;
  std::string text;
  if (parts.size() > 1) {
    text = fmt::format(
        "the batch of {} is computed in {} parts at the same time; the first, rows 0 to {}:\n\n",
        parts.back().end, parts.size(), parts[0].end - 1);
  }
  return text + parts[0].executor.explain();
}

int64_t Program::activation_bytes() const {
  int64_t bytes = 0;
  for (const State::Part& part : state_->parts) bytes += part.executor.activation_bytes();
  return bytes;
}

int64_t Program::weight_bytes() const {
  return state_->parts[0].executor.weight_bytes();
}

ProgramMemory Program::memory() const {
  ProgramMemory memory;
  std::set<const Buffer*> seen = state_->parameters;
  for (const State::Part& part : state_->parts) {
    int64_t running = 0;
    for (const internal::Storage& storage : part.executor.steps().storages) {
      if (storage.kind != internal::StorageKind::kConstant) continue;
      if (seen.insert(storage.constant.buffer().get()).second) memory.formatted += storage.bytes;
    }
    for (const internal::Step& step : part.executor.steps().steps) {
      if (step.prepared == nullptr) continue;
      memory.kernels += step.prepared->kept_bytes();
      running = std::max(running, step.prepared->run_bytes());
    }
    memory.running += running;
    memory.activations += part.executor.activation_bytes();
  }
  const Graph& graph = *state_->graph;
  const auto sum = [&](const std::vector<ValueId>& ids) {
    int64_t bytes = 0;
    for (const ValueId id : ids)
      bytes += element_count(graph.type(id).shape()) * byte_size(graph.type(id).dtype);
    return bytes;
  };
  memory.inputs = sum(graph.inputs);
  memory.outputs = sum(graph.outputs);
  return memory;
}

}  // namespace tessera
