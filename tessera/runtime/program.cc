#include "tessera/runtime/program.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "tessera/base/parallel.h"
#include "tessera/base/workers.h"
#include "tessera/ops/precision_support.h"
#include "tessera/runtime/internal/batch.h"
#include "tessera/runtime/internal/executor.h"
#include "tessera/runtime/internal/explain.h"

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
  /// A thread's way of computing pieces of the batch: one executor per size of piece, or the only
  /// one of a graph that is not cut.
  struct Lane {
    std::vector<internal::Executor> executors;
  };
  /// Rows of the batch, and which executor of a lane computes so many.
  struct Piece {
    int64_t begin = 0;
    int64_t end = 0;
    size_t executor = 0;
  };

  std::shared_ptr<const Graph> graph;
  std::vector<Lane> lanes;
  std::vector<Piece> pieces;  // empty: the graph is not cut
  std::unique_ptr<Workers> workers;
  std::set<const std::byte*> parameters;  // where those given lie; not owned
  std::vector<Tensor> referred;           // by weights that are read as they were given
  bool plan_only = false;

  const internal::Executor& first() const { return lanes[0].executors[0]; }
  bool cut_batch(internal::Constants& constants, const CompileOptions& options);
  void run_piece(size_t lane, const Piece& piece, std::span<const Tensor> inputs,
                 std::span<Tensor> outputs, std::span<std::vector<double>> seconds);
};

/// Pieces that threads compute side by side and one after the other, where the rows can be computed
/// apart and are worth it; false otherwise.
bool Program::State::cut_batch(internal::Constants& constants, const CompileOptions& options) {
  const int64_t rows = internal::batch_of(*graph);
  const int64_t count = internal::piece_count(*graph, rows, options.threads);
  if (count < 2) return false;
  const int64_t lane_count = std::min<int64_t>(options.threads, count);
  CompileOptions lane_options = options;
  lane_options.threads = std::max(1, options.threads / static_cast<int>(lane_count));
  std::vector<std::shared_ptr<const Graph>> graphs;  // per size of piece
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = rows * i / count;
    const int64_t end = rows * (i + 1) / count;
    const auto size = std::find(sizes.begin(), sizes.end(), end - begin);
    pieces.push_back({begin, end, static_cast<size_t>(size - sizes.begin())});
    if (size != sizes.end()) continue;
    std::optional<Graph> cut = internal::with_batch(*graph, end - begin);
    if (!cut) {
      pieces.clear();
      return false;
    }
    sizes.push_back(end - begin);
    graphs.push_back(std::make_shared<const Graph>(std::move(*cut)));
  }
  for (int64_t lane = 0; lane < lane_count; ++lane) {
    lanes.emplace_back();
    for (const auto& cut : graphs) {
      lanes.back().executors.emplace_back(cut, constants, lane_options);
    }
  }
  if (lane_count > 1) workers = std::make_unique<Workers>(static_cast<int>(lane_count) - 1);
  return true;
}

Program::Program(std::unique_ptr<State> state) : state_(std::move(state)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

Program Program::compile(const Graph& graph, std::span<const Tensor> parameters,
                         const CompileOptions& options) {
  verify(graph);
  check_precision(options);
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
  CompileOptions decided = options;
  decided.threads = thread_count(decided.threads);
  if (!state->cut_batch(constants, decided)) {
    state->lanes.emplace_back();
    state->lanes[0].executors.emplace_back(state->graph, constants, decided);
  }
  state->referred = constants.referred();
  return Program(std::move(state));
}

void Program::State::run_piece(size_t lane, const Piece& piece, std::span<const Tensor> inputs,
                               std::span<Tensor> outputs, std::span<std::vector<double>> seconds) {
  std::vector<Tensor> in;
  std::vector<Tensor> out;
  for (const Tensor& input : inputs) in.push_back(rows_of(input, piece.begin, piece.end));
  for (const Tensor& output : outputs) out.push_back(rows_of(output, piece.begin, piece.end));
  lanes[lane].executors[piece.executor].run(
      in, out, seconds.empty() ? std::span<double>() : std::span<double>(seconds[lane]));
}

std::vector<Tensor> Program::run(std::span<const Tensor> inputs) {
  return run(inputs, {});
}

std::vector<StepTime> Program::time_steps(std::span<const Tensor> inputs) {
  const internal::Steps& steps = state_->first().steps();
  std::vector<std::vector<double>> seconds(state_->lanes.size(),
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
  if (state.pieces.empty()) {
    state.lanes[0].executors[0].run(
        given, outputs, seconds.empty() ? std::span<double>() : std::span<double>(seconds[0]));
    return outputs;
  }
  std::atomic<size_t> next = 0;
  const auto run_lane = [&](size_t lane) {
    for (size_t i = next++; i < state.pieces.size(); i = next++) {
      state.run_piece(lane, state.pieces[i], given, outputs, seconds);
    }
  };
  if (state.workers == nullptr) {
    run_lane(0);
  } else {
    state.workers->run(state.lanes.size(), IndexTask(run_lane));
  }
  return outputs;
}

std::string Program::explain() const {
  const std::vector<State::Piece>& pieces = state_->pieces;
  std::string text;
  if (!pieces.empty()) {
    text = fmt::format(
        "the batch of {} is computed in {} pieces, {} at the same time; one of {}:\n\n",
        pieces.back().end, pieces.size(), state_->lanes.size(), pieces[0].end - pieces[0].begin);
  }
  return text + state_->first().explain();
}

int64_t Program::activation_bytes() const {
  int64_t bytes = 0;
  for (const State::Lane& lane : state_->lanes) {
    for (const internal::Executor& executor : lane.executors) bytes += executor.activation_bytes();
  }
  return bytes;
}

int64_t Program::weight_bytes() const {
  return state_->first().weight_bytes();
}

ProgramMemory Program::memory() const {
  ProgramMemory memory;
  std::set<const std::byte*> seen = state_->parameters;
  for (const State::Lane& lane : state_->lanes) {
    int64_t running = 0;  // of a lane: it runs one executor at a time
    for (const internal::Executor& executor : lane.executors) {
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
