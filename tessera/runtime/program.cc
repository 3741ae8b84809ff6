#include "tessera/runtime/program.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

#include "tessera/base/parallel.h"
#include "tessera/ops/precision_support.h"
#include "tessera/runtime/internal/explain.h"
#include "tessera/runtime/internal/stream.h"

namespace tessera {
namespace {

void check_tensor(const Tensor& tensor, const Graph& graph, ValueId id, std::string_view what) {
  const TensorType wanted = graph.type(id);
  require(tensor.is_defined() && tensor.dtype() == wanted.dtype && tensor.shape() == wanted.shape(),
          "{} '{}' is {}, the program wants {}", what, graph.values[static_cast<size_t>(id)].name,
          tensor.is_defined() ? describe(tensor) : "undefined", to_string(wanted));
}

const std::byte* address_of(const Tensor& tensor) {
  return tensor.buffer()->data() + tensor.byte_offset();
}

void check_precision(const CompileOptions& options) {
  require_precision(options.precision);
  require(
      options.precision == Precision::kF32 || (!options.deterministic && !options.reference_only),
      "precision {} goes neither with deterministic programs nor with reference kernels: those "
      "compute in f32",
      to_string(options.precision));
}

void check_streams(const Graph& graph, const CompileOptions& options, int threads) {
  require(options.streams >= 1, "streams is {}; wanted at least 1", options.streams);
  require(options.streams <= threads,
          "{} streams are asked for and {} threads: each stream needs a thread of its own",
          options.streams, threads);
  if (options.streams == 1) return;
  if (!graph.updates.empty())
    fail(ErrorCode::kUnsupported,
         "{} streams are asked for, but every run changes the parameter '{}' for the next: one "
         "stream only",
         options.streams, graph.values[static_cast<size_t>(graph.updates[0].parameter)].name);
  if (options.world != nullptr)
    fail(ErrorCode::kUnsupported,
         "{} streams are asked for, but the ranks of a world run one after the other in the same "
         "order: one stream only",
         options.streams);
}

}  // namespace

struct Program::State {
  std::shared_ptr<const Graph> graph;
  std::vector<internal::Stream> streams;
  std::set<const std::byte*> parameters;  // where those given lie; not owned
  std::vector<Tensor> referred;           // by weights that are read as they were given
  bool plan_only = false;

  std::mutex mutex;
  std::condition_variable freed;
  std::vector<internal::Stream*> free;  // the last one is taken first: its caches are warm

  const internal::Executor& first() const { return streams[0].lanes()[0].executors[0]; }
  /// Of all streams.
  std::vector<const internal::Stream::Lane*> lanes() const {
    std::vector<const internal::Stream::Lane*> all;
    for (const internal::Stream& stream : streams)
      for (const internal::Stream::Lane& lane : stream.lanes()) all.push_back(&lane);
    return all;
  }
};

/// A stream for one run: waits until one is free.
class Program::Turn {
 public:
  explicit Turn(State& state) : state_(state) {
    std::unique_lock lock(state.mutex);
    state.freed.wait(lock, [&] { return !state.free.empty(); });
    stream_ = state.free.back();
    state.free.pop_back();
  }
  ~Turn() {
    {
      const std::scoped_lock lock(state_.mutex);
      state_.free.push_back(stream_);
    }
    state_.freed.notify_one();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  internal::Stream& stream() const { return *stream_; }

 private:
  State& state_;
  internal::Stream* stream_ = nullptr;
};

Program::Program(std::unique_ptr<State> state) : state_(std::move(state)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

Program Program::compile(const Graph& graph, std::span<const Tensor> parameters,
                         const CompileOptions& options) {
  verify(graph);
  check_precision(options);
  const int threads = thread_count(options.threads);
  check_streams(graph, options, threads);
  require(parameters.size() == graph.parameters.size(),
          "the graph has {} parameters, {} tensors are given", graph.parameters.size(),
          parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    check_tensor(parameters[i], graph, graph.parameters[i], "parameter");
  }
  auto state = std::make_unique<State>();
  state->graph = std::make_shared<const Graph>(graph);
  state->plan_only = options.plan_only;
  for (const Tensor& tensor : parameters) state->parameters.insert(address_of(tensor));
  internal::Constants constants(*state->graph, parameters, options);
  CompileOptions of_stream = options;
  of_stream.threads = threads / options.streams;
  for (int i = 0; i < options.streams; ++i)
    state->streams.emplace_back(state->graph, constants, of_stream);
  for (internal::Stream& stream : state->streams) state->free.push_back(&stream);
  state->referred = constants.referred();
  return Program(std::move(state));
}

std::vector<Tensor> Program::run(std::span<const Tensor> inputs) {
  return run(inputs, {});
}

std::vector<StepTime> Program::time_steps(std::span<const Tensor> inputs) {
  const internal::Steps& steps = state_->first().steps();
  std::vector<std::vector<double>> seconds(state_->streams[0].lanes().size(),
                                           std::vector<double>(steps.steps.size(), 0.0));
  run(inputs, seconds);
  std::vector<StepTime> times;
  for (size_t i = 0; i < steps.steps.size(); ++i) {
    const internal::Step& step = steps.steps[i];
    StepTime time{step.name, internal::op_text(step), internal::kernel_text(step), 0, 0};
    for (const std::vector<double>& lane : seconds) time.seconds += lane[i];
    time.seconds /= static_cast<double>(seconds.size());
    // Pieces of another size have the same steps: all together compute the whole graph's node.
    if (step.node != nullptr) {
      const auto index = static_cast<size_t>(step.node - state_->first().graph().nodes.data());
      time.multiply_adds = multiply_adds(*state_->graph, state_->graph->nodes[index]);
    }
    times.push_back(std::move(time));
  }
  return times;
}

std::vector<Tensor> Program::run(std::span<const Tensor> inputs,
                                 std::span<std::vector<double>> seconds) {
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
  const Turn turn(state);
  turn.stream().run(given, outputs, seconds);
  return outputs;
}

std::string Program::explain() const {
  const internal::Stream& stream = state_->streams[0];
  std::string text;
  if (state_->streams.size() > 1) {
    text = fmt::format("{} runs go on side by side; one of them:\n\n", state_->streams.size());
  }
  const std::span<const internal::Stream::Piece> pieces = stream.pieces();
  if (!pieces.empty()) {
    text += fmt::format(
        "the batch of {} is computed in {} pieces, {} at the same time; one of {}:\n\n",
        pieces.back().end, pieces.size(), stream.lanes().size(), pieces[0].end - pieces[0].begin);
  }
  return text + state_->first().explain();
}

int64_t Program::activation_bytes() const {
  int64_t bytes = 0;
  for (const internal::Stream::Lane* lane : state_->lanes())
    for (const internal::Executor& executor : lane->executors) bytes += executor.activation_bytes();
  return bytes;
}

int64_t Program::weight_bytes() const {
  return state_->first().weight_bytes();
}

ProgramMemory Program::memory() const {
  ProgramMemory memory;
  std::set<const std::byte*> seen = state_->parameters;
  for (const internal::Stream::Lane* lane : state_->lanes()) {
    int64_t running = 0;  // of a lane: it runs one executor at a time
    for (const internal::Executor& executor : lane->executors) {
      for (const internal::Storage& storage : executor.steps().storages) {
        if (storage.kind != internal::StorageKind::kConstant) continue;
        if (seen.insert(address_of(storage.constant)).second) memory.formatted += storage.bytes;
      }
      for (const internal::Step& step : executor.steps().steps) {
        if (step.prepared == nullptr) continue;
        memory.kernels += step.prepared->kept_bytes();
        running = std::max(running, step.prepared->run_bytes());
      }
      memory.activations += executor.activation_bytes();
    }
    memory.running += running;
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
