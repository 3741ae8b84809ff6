#include "tessera/runtime/program.h"

#include <algorithm>
#include <cstring>

#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/ops/threads.h"
#include "tessera/runtime/internal/explain.h"
#include "tessera/runtime/internal/memory_plan.h"
#include "tessera/runtime/internal/steps.h"

namespace tessera {
namespace {

using internal::Slot;
using internal::Step;
using internal::StepKind;
using internal::Storage;
using internal::StorageId;
using internal::StorageKind;

/// A tensor of a step that lies in an input or output of the run: bound again at every run.
struct Rebind {
  size_t step;
  bool is_result;
  size_t position;
};

/// A step with the tensors it reads and writes.
struct BoundStep {
  PreparedKernel* kernel = nullptr;  // null: copy operand 0 to result 0
  int64_t copy_bytes = 0;
  std::vector<Tensor> operands;
  std::vector<Tensor> results;
};

void check_tensor(const Tensor& tensor, const ValueInfo& wanted, std::string_view what) {
  require(tensor.is_defined() && tensor.dtype() == wanted.dtype && tensor.shape() == wanted.shape,
          "{} '{}' is {}, the program wants {}{}", what, wanted.name,
          tensor.is_defined() ? describe(tensor) : "undefined", to_string(wanted.dtype),
          to_string(wanted.shape));
}

}  // namespace

struct Program::State {
  Graph graph;  // prepared kernels refer to its attributes
  int threads = 1;
  internal::Steps plan;
  internal::MemoryPlan memory;
  std::vector<int64_t> arena_offsets;  // per storage; -1 where it is not in the arena
  std::shared_ptr<Buffer> arena;
  std::vector<BoundStep> bound;
  std::vector<std::vector<Rebind>> rebinds;  // per storage that is an input or output

  void plan_arena();
  void bind();
  Tensor bound_tensor(const Slot& slot) const;
  void rebind(StorageId storage, const std::shared_ptr<Buffer>& buffer, int64_t offset);
  void release(StorageId storage);
  void run_steps();
};

void Program::State::plan_arena() {
  const std::vector<int> last = internal::last_uses(plan);
  std::vector<int> first(plan.storages.size(), -1);
  for (size_t i = plan.steps.size(); i-- > 0;) {
    for (const Slot& slot : plan.steps[i].results) {
      first[static_cast<size_t>(slot.storage)] = static_cast<int>(i);
    }
  }
  std::vector<internal::Lifetime> lifetimes;
  std::vector<size_t> owners;
  for (size_t s = 0; s < plan.storages.size(); ++s) {
    if (plan.storages[s].kind != StorageKind::kArena || first[s] < 0) continue;
    lifetimes.push_back({plan.storages[s].bytes, first[s], last[s]});
    owners.push_back(s);
  }
  memory = internal::plan_memory(lifetimes);
  arena_offsets.assign(plan.storages.size(), -1);
  for (size_t i = 0; i < owners.size(); ++i) arena_offsets[owners[i]] = memory.offsets[i];
  arena = Buffer::allocate(std::max<int64_t>(memory.total, 1));
}

Tensor Program::State::bound_tensor(const Slot& slot) const {
  const Storage& storage = plan.storages[static_cast<size_t>(slot.storage)];
  if (storage.kind == StorageKind::kConstant) return storage.constant;
  return Tensor::view(arena, arena_offsets[static_cast<size_t>(slot.storage)], slot.type.dtype,
                      slot.type.global);
}

void Program::State::bind() {
  rebinds.resize(plan.storages.size());
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    BoundStep made;
    made.kernel = step.prepared.get();
    const auto add = [&](const Slot& slot, bool is_result, std::vector<Tensor>& tensors) {
      const StorageKind kind = plan.storages[static_cast<size_t>(slot.storage)].kind;
      const bool every_run = kind == StorageKind::kInput || kind == StorageKind::kOutput;
      if (every_run) {
        rebinds[static_cast<size_t>(slot.storage)].push_back({i, is_result, tensors.size()});
      }
      tensors.push_back(every_run ? Tensor() : bound_tensor(slot));
    };
    for (const Slot& slot : step.operands) add(slot, false, made.operands);
    for (const Slot& slot : step.results) add(slot, true, made.results);
    made.copy_bytes = plan.storages[static_cast<size_t>(step.results[0].storage)].bytes;
    bound.push_back(std::move(made));
  }
}

void Program::State::rebind(StorageId storage, const std::shared_ptr<Buffer>& buffer,
                            int64_t offset) {
  for (const Rebind& place : rebinds[static_cast<size_t>(storage)]) {
    BoundStep& step = bound[place.step];
    const std::vector<Slot>& slots =
        place.is_result ? plan.steps[place.step].results : plan.steps[place.step].operands;
    (place.is_result ? step.results : step.operands)[place.position] = Tensor::view(
        buffer, offset, slots[place.position].type.dtype, slots[place.position].type.global);
  }
}

void Program::State::release(StorageId storage) {
  for (const Rebind& place : rebinds[static_cast<size_t>(storage)]) {
    BoundStep& step = bound[place.step];
    (place.is_result ? step.results : step.operands)[place.position] = Tensor();
  }
}

void Program::State::run_steps() {
  for (size_t i = 0; i < bound.size(); ++i) {
    BoundStep& step = bound[i];
    if (step.kernel == nullptr) {
      std::memcpy(step.results[0].buffer()->mutable_data() + step.results[0].byte_offset(),
                  step.operands[0].buffer()->data() + step.operands[0].byte_offset(),
                  static_cast<size_t>(step.copy_bytes));
      continue;
    }
    const ErrorContext context([&] {
      const Step& planned = plan.steps[i];
      return fmt::format("running '{}' ({})", planned.name,
                         planned.node == nullptr ? "reorder" : planned.node->op->name);
    });
    step.kernel->run(step.operands, step.results);
  }
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
    check_tensor(parameters[i], graph.values[static_cast<size_t>(graph.parameters[i])],
                 "parameter");
  }
  auto state = std::make_unique<State>();
  state->graph = graph;
  state->threads = options.threads > 0 ? options.threads : default_thread_count();
  const ThreadLimit limit(state->threads);
  state->plan = internal::build_steps(state->graph, parameters, options);
  internal::share_overwritten(state->plan);
  state->plan_arena();
  state->bind();
  return Program(std::move(state));
}

std::vector<Tensor> Program::run(std::span<const Tensor> inputs) {
  State& state = *state_;
  const Graph& graph = state.graph;
  require(inputs.size() == graph.inputs.size(), "the program has {} inputs, {} tensors are given",
          graph.inputs.size(), inputs.size());
  std::vector<Tensor> kept;  // row-major copies of inputs that are not
  for (size_t i = 0; i < inputs.size(); ++i) {
    check_tensor(inputs[i], graph.values[static_cast<size_t>(graph.inputs[i])], "input");
    kept.push_back(inputs[i].contiguous());
    state.rebind(state.plan.inputs[i], kept[i].buffer(), kept[i].byte_offset());
  }
  std::vector<Tensor> outputs(graph.outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Slot& slot = state.plan.outputs[i];
    const Storage& storage = state.plan.storages[static_cast<size_t>(slot.storage)];
    if (storage.kind != StorageKind::kOutput || storage.index != static_cast<int>(i)) continue;
    outputs[i] = Tensor(slot.type.dtype, slot.type.global);
    state.rebind(slot.storage, outputs[i].buffer(), 0);
  }
  {
    const ThreadLimit limit(state.threads);
    state.run_steps();
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].is_defined()) continue;
    // An input, a constant, or a value that is an output already: the caller gets its own copy.
    const Slot& slot = state.plan.outputs[i];
    const Storage& storage = state.plan.storages[static_cast<size_t>(slot.storage)];
    const auto at = static_cast<size_t>(storage.index);
    const Tensor& source = storage.kind == StorageKind::kConstant ? storage.constant
                           : storage.kind == StorageKind::kInput  ? kept[at]
                                                                  : outputs[at];
    outputs[i] = source.clone().reshape(slot.type.global);
  }
  for (const StorageId storage : state.plan.inputs) state.release(storage);
  for (const Slot& slot : state.plan.outputs) state.release(slot.storage);
  return outputs;
}

std::string Program::explain() const {
  return internal::explain(state_->plan, state_->memory, state_->arena_offsets, state_->threads);
}

int64_t Program::activation_bytes() const {
  return state_->memory.total;
}

int64_t Program::weight_bytes() const {
  return state_->plan.weight_bytes;
}

}  // namespace tessera
