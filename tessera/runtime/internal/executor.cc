#include "tessera/runtime/internal/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tessera/ops/threads.h"
#include "tessera/runtime/internal/explain.h"

namespace tessera::internal {

Executor::Executor(std::shared_ptr<const Graph> graph, Constants& constants,
                   const CompileOptions& options)
    : graph_(std::move(graph)), threads_(options.threads) {
  const ThreadLimit limit(threads_);
  plan_ = build_steps(*graph_, constants, options);
  write_into_results(plan_);
  share_overwritten(plan_);
  write_updates(plan_);
  plan_arena();
  bind();
}

void Executor::plan_arena() {
  const std::vector<int> last = last_uses(plan_);
  std::vector<int> first(plan_.storages.size(), -1);
  for (size_t i = plan_.steps.size(); i-- > 0;) {
    for (const Slot& slot : plan_.steps[i].results) {
      first[static_cast<size_t>(slot.storage)] = static_cast<int>(i);
    }
  }
  std::vector<Lifetime> lifetimes;
  std::vector<size_t> owners;
  for (size_t s = 0; s < plan_.storages.size(); ++s) {
    if (plan_.storages[s].kind != StorageKind::kArena || first[s] < 0) continue;
    lifetimes.push_back({plan_.storages[s].bytes, first[s], last[s]});
    owners.push_back(s);
  }
  memory_ = plan_memory(lifetimes);
  arena_offsets_.assign(plan_.storages.size(), -1);
  for (size_t i = 0; i < owners.size(); ++i) arena_offsets_[owners[i]] = memory_.offsets[i];
  arena_ = Buffer::allocate(std::max<int64_t>(memory_.total, 1));
}

Tensor Executor::bound_tensor(const Slot& slot) const {
  const Storage& storage = plan_.storages[static_cast<size_t>(slot.storage)];
  if (storage.kind == StorageKind::kConstant) return storage.constant;
  if (storage.kind == StorageKind::kState) {
    return Tensor::view(storage.constant.buffer(), storage.constant.byte_offset() + slot.offset,
                        slot.type.dtype, slot.type.shape());
  }
  return Tensor::view(arena_, arena_offsets_[static_cast<size_t>(slot.storage)] + slot.offset,
                      slot.type.dtype, slot.type.shape());
}

void Executor::bind() {
  rebinds_.resize(plan_.storages.size());
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    const Step& step = plan_.steps[i];
    BoundStep made;
    made.kernel = step.prepared.get();
    const auto add = [&](const Slot& slot, bool is_result, std::vector<Tensor>& tensors) {
      if (slot.storage < 0) return tensors.emplace_back();
      const StorageKind kind = plan_.storages[static_cast<size_t>(slot.storage)].kind;
      const bool every_run = kind == StorageKind::kInput || kind == StorageKind::kOutput;
      if (every_run) {
        rebinds_[static_cast<size_t>(slot.storage)].push_back({i, is_result, tensors.size()});
      }
      return tensors.emplace_back(every_run ? Tensor() : bound_tensor(slot));
    };
    for (const Slot& slot : step.operands) add(slot, false, made.operands);
    for (const Slot& slot : step.results) add(slot, true, made.results);
    made.copy_bytes = plan_.storages[static_cast<size_t>(step.results[0].storage)].bytes;
    bound_.push_back(std::move(made));
  }
}

void Executor::rebind(StorageId storage, const std::shared_ptr<Buffer>& buffer, int64_t offset) {
  for (const Rebind& place : rebinds_[static_cast<size_t>(storage)]) {
    BoundStep& step = bound_[place.step];
    const std::vector<Slot>& slots =
        place.is_result ? plan_.steps[place.step].results : plan_.steps[place.step].operands;
    (place.is_result ? step.results : step.operands)[place.position] =
        Tensor::view(buffer, offset + slots[place.position].offset,
                     slots[place.position].type.dtype, slots[place.position].type.shape());
  }
}

void Executor::release(StorageId storage) {
  for (const Rebind& place : rebinds_[static_cast<size_t>(storage)]) {
    BoundStep& step = bound_[place.step];
    (place.is_result ? step.results : step.operands)[place.position] = Tensor();
  }
}

void Executor::run_step(size_t index) {
  BoundStep& step = bound_[index];
  if (step.kernel == nullptr) {
    std::memcpy(step.results[0].buffer()->mutable_data() + step.results[0].byte_offset(),
                step.operands[0].buffer()->data() + step.operands[0].byte_offset(),
                static_cast<size_t>(step.copy_bytes));
    return;
  }
  const ErrorContext context([&] {
    const Step& planned = plan_.steps[index];
    return fmt::format("running '{}' ({})", planned.name,
                       planned.node == nullptr ? "reorder" : planned.node->op->name);
  });
  step.kernel->run(step.operands, step.results);
}

void Executor::run(std::span<const Tensor> inputs, std::span<Tensor> outputs,
                   std::span<double> seconds) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    rebind(plan_.inputs[i], inputs[i].buffer(), inputs[i].byte_offset());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (is_written_by_steps(i)) {
      rebind(plan_.outputs[i].storage, outputs[i].buffer(), outputs[i].byte_offset());
    }
  }
  {
    const ThreadLimit limit(threads_);
    using Clock = std::chrono::steady_clock;
    for (size_t i = 0; i < bound_.size(); ++i) {
      const Clock::time_point start = seconds.empty() ? Clock::time_point() : Clock::now();
      run_step(i);
      if (!seconds.empty())
        seconds[i] += std::chrono::duration<double>(Clock::now() - start).count();
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (is_written_by_steps(i)) continue;
    // An input, a constant, or a value that is an output already: the caller gets its own copy.
    const Storage& storage = plan_.storages[static_cast<size_t>(plan_.outputs[i].storage)];
    const auto at = static_cast<size_t>(storage.index);
    const Tensor& source = storage.constant.is_defined()         ? storage.constant
                           : storage.kind == StorageKind::kInput ? inputs[at]
                                                                 : outputs[at];
    std::memcpy(outputs[i].mutable_bytes().data(), source.bytes().data(), source.bytes().size());
  }
  for (const StorageId storage : plan_.inputs) release(storage);
  for (const Slot& slot : plan_.outputs) release(slot.storage);
}

bool Executor::is_written_by_steps(size_t output) const {
  const Storage& storage = plan_.storages[static_cast<size_t>(plan_.outputs[output].storage)];
  return storage.kind == StorageKind::kOutput && storage.index == static_cast<int>(output);
}

std::string Executor::explain() const {
  return internal::explain(plan_, memory_, arena_offsets_, threads_);
}

}  // namespace tessera::internal
