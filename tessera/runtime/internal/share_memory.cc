// Which results lie in the memory of something else, so that less is copied.
#include <algorithm>

#include "tessera/runtime/internal/steps.h"

namespace tessera::internal {
namespace {

/// Replaces one storage by another everywhere, `offset` bytes on.
void replace_storage(Steps& steps, StorageId from, StorageId to, int64_t offset = 0) {
  const auto replace = [&](Slot& slot) {
    if (slot.storage != from) return;
    slot.storage = to;
    slot.offset += offset;
  };
  for (Step& step : steps.steps) {
    std::for_each(step.operands.begin(), step.operands.end(), replace);
    std::for_each(step.results.begin(), step.results.end(), replace);
  }
  std::for_each(steps.outputs.begin(), steps.outputs.end(), replace);
  std::for_each(steps.updates.begin(), steps.updates.end(), replace);
}

/// Whether result 0 of step `index` may lie where operand `operand` lies.
bool may_take_over(const Steps& steps, size_t index, size_t operand) {
  const Step& step = steps.steps[index];
  const StorageId storage = step.operands[operand].storage;
  if (steps.storages[static_cast<size_t>(storage)].kind != StorageKind::kArena) return false;
  if (step.operands[operand].offset != 0 || step.results[0].offset != 0) return false;
  if (last_uses(steps)[static_cast<size_t>(storage)] != static_cast<int>(index)) return false;
  return std::count_if(step.operands.begin(), step.operands.end(),
                       [&](const Slot& slot) { return slot.storage == storage; }) == 1;
}

/// The only step that writes a storage, or -1.
int only_writer(const Steps& steps, StorageId storage) {
  int writer = -1;
  for (size_t i = 0; i < steps.steps.size(); ++i) {
    for (const Slot& slot : steps.steps[i].results) {
      if (slot.storage != storage) continue;
      if (writer >= 0) return -1;
      writer = static_cast<int>(i);
    }
  }
  return writer;
}

int64_t count_uses(const Steps& steps, StorageId storage) {
  const auto is_it = [&](const Slot& slot) { return slot.storage == storage; };
  int64_t uses = std::count_if(steps.outputs.begin(), steps.outputs.end(), is_it) +
                 std::count_if(steps.updates.begin(), steps.updates.end(), is_it);
  for (const Step& step : steps.steps) {
    uses += std::count_if(step.operands.begin(), step.operands.end(), is_it);
  }
  return uses;
}

/// Lets the step that computes operand `i` of `step` write it where the result will have it.
bool write_into_result(Steps& steps, const Step& step, size_t i) {
  const int64_t channel = step.prepared->operand_channel(i);
  const Slot from = step.operands[i];
  const Storage& storage = steps.storages[static_cast<size_t>(from.storage)];
  if (channel < 0 || storage.kind != StorageKind::kArena) return false;
  if (count_uses(steps, from.storage) != 1) return false;
  const int writer = only_writer(steps, from.storage);
  if (writer < 0) return false;
  Step& before = steps.steps[static_cast<size_t>(writer)];
  const Slot to = step.results[0];
  const int64_t channels = to.channels > 0 ? to.channels : to.type.shape()[1];
  if (before.kind != StepKind::kKernel || before.results.size() != 1) return false;
  if (before.prepared->overwritten_operand() >= 0) return false;
  if (!before.prepared->write_into(channels)) return false;
  before.results[0].channels = channels;
  replace_storage(steps, from.storage, to.storage, to.offset + channel * byte_size(to.type.dtype));
  return true;
}

}  // namespace

void write_into_results(Steps& steps) {
  for (size_t i = steps.steps.size(); i-- > 0;) {
    Step& step = steps.steps[i];
    if (step.prepared == nullptr) continue;
    bool is_done = !step.operands.empty();
    for (size_t operand = 0; operand < step.operands.size(); ++operand) {
      if (write_into_result(steps, step, operand)) {
        step.operands[operand].storage = -1;
      } else {
        is_done = false;
      }
    }
    if (is_done) steps.steps.erase(steps.steps.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void share_overwritten(Steps& steps) {
  for (size_t i = 0; i < steps.steps.size(); ++i) {
    const Step& step = steps.steps[i];
    if (step.prepared == nullptr) continue;
    const int reusable = step.prepared->reusable_operand();
    if (reusable >= 0 && may_take_over(steps, i, static_cast<size_t>(reusable))) {
      replace_storage(steps, step.operands[static_cast<size_t>(reusable)].storage,
                      step.results[0].storage);
      continue;
    }
    const int overwritten = step.prepared->overwritten_operand();
    if (overwritten < 0) continue;
    const auto operand = static_cast<size_t>(overwritten);
    const Slot from = step.operands[operand];
    const StorageId result = step.results[0].storage;
    if (may_take_over(steps, i, operand)) {
      Storage& kept = steps.storages[static_cast<size_t>(result)];
      kept.bytes = std::max(kept.bytes, steps.storages[static_cast<size_t>(from.storage)].bytes);
      replace_storage(steps, from.storage, result);
      continue;
    }
    Step copy;
    copy.kind = StepKind::kCopy;
    copy.name = step.name;
    copy.operands = {from};
    copy.results = {{result, from.type, from.format}};
    steps.steps[i].operands[operand].storage = result;
    steps.steps.insert(steps.steps.begin() + static_cast<std::ptrdiff_t>(i), std::move(copy));
    ++i;
  }
}

namespace {

/// Whether step `i` may write result `r` right into the state: nothing after it reads or writes
/// that, and it reads there itself only what it is about to replace.
bool may_write_state(const Steps& steps, size_t i, size_t r, StorageId state) {
  const Step& step = steps.steps[i];
  for (size_t later = i + 1; later < steps.steps.size(); ++later) {
    for (const auto* slots : {&steps.steps[later].operands, &steps.steps[later].results})
      for (const Slot& slot : *slots)
        if (slot.storage == state) return false;
  }
  for (size_t operand = 0; operand < step.operands.size(); ++operand) {
    if (step.operands[operand].storage != state) continue;
    if (step.prepared == nullptr || !step.prepared->writes_in_place(operand, r)) return false;
  }
  return true;
}

bool write_by_its_step(Steps& steps, size_t update) {
  const Slot value = steps.updates[update];
  const StorageId state = steps.states[update];
  if (steps.storages[static_cast<size_t>(value.storage)].kind != StorageKind::kArena) return false;
  if (value.offset != 0 || count_uses(steps, value.storage) != 1) return false;
  const int writer = only_writer(steps, value.storage);
  if (writer < 0) return false;
  const std::vector<Slot>& results = steps.steps[static_cast<size_t>(writer)].results;
  const auto slot = std::find_if(results.begin(), results.end(),
                                 [&](const Slot& it) { return it.storage == value.storage; });
  const auto r = static_cast<size_t>(slot - results.begin());
  if (slot->offset != 0 || slot->channels != 0 || slot->format != nullptr) return false;
  if (!may_write_state(steps, static_cast<size_t>(writer), r, state)) return false;
  replace_storage(steps, value.storage, state);
  return true;
}

}  // namespace

void write_updates(Steps& steps) {
  std::vector<Step> copies;
  for (size_t u = 0; u < steps.updates.size(); ++u) {
    if (write_by_its_step(steps, u)) continue;
    const Slot value = steps.updates[u];
    if (value.storage == steps.states[u]) continue;  // it stays as it is
    Step copy;
    copy.kind = StepKind::kCopy;
    copy.name = steps.storages[static_cast<size_t>(steps.states[u])].name;
    copy.operands = {value};
    copy.results = {{steps.states[u], value.type, nullptr}};
    copies.push_back(std::move(copy));
  }
  for (Step& copy : copies) steps.steps.push_back(std::move(copy));
}

}  // namespace tessera::internal
