// Which results lie in the memory of something else, so that less is copied.
#include <algorithm>
#include <numeric>
#include <utility>

#include "tessera/runtime/internal/steps.h"

namespace tessera::internal {
namespace {

size_t at(StorageId storage) {
  return static_cast<size_t>(storage);
}

/// Who writes and reads each storage, kept while slots change: steps are many where a training step
/// has many micro-batches.
class Uses {
 public:
  explicit Uses(const Steps& steps)
      : last_(steps.storages.size(), -1),
        reads_(steps.storages.size(), 0),
        writers_(steps.storages.size()) {
    for (size_t i = 0; i < steps.steps.size(); ++i) {
      for (const Slot& slot : steps.steps[i].operands) {
        if (slot.storage < 0) continue;
        ++reads_[at(slot.storage)];
        last_[at(slot.storage)] = static_cast<int>(i);
      }
      for (const Slot& slot : steps.steps[i].results) add_writer(slot.storage, i);
    }
    for (const Slot& slot : steps.outputs) ++reads_[at(slot.storage)];
    for (const Slot& slot : steps.updates) ++reads_[at(slot.storage)];
  }

  /// The last step that reads or writes it, or -1.
  int last(StorageId storage) const { return last_[at(storage)]; }
  /// Being an output or the value of an update counts.
  int reads(StorageId storage) const { return reads_[at(storage)]; }
  /// The only step that writes it, or -1.
  int only_writer(StorageId storage) const {
    return writers_[at(storage)].size() == 1 ? static_cast<int>(writers_[at(storage)][0]) : -1;
  }
  void add_writer(StorageId storage, size_t step) {
    writers_[at(storage)].push_back(step);
    last_[at(storage)] = std::max(last_[at(storage)], static_cast<int>(step));
  }

 private:
  std::vector<int> last_;
  std::vector<int> reads_;
  std::vector<std::vector<size_t>> writers_;
};

/// Lets the step that computes operand `i` of `step` write it where the result will have it.
bool write_into_result(Steps& steps, Uses& uses, const Step& step, size_t i) {
  const int64_t channel = step.prepared->operand_channel(i);
  const Slot& from = step.operands[i];
  if (channel < 0 || steps.storages[at(from.storage)].kind != StorageKind::kArena) return false;
  if (uses.reads(from.storage) != 1) return false;
  const int writer = uses.only_writer(from.storage);
  if (writer < 0) return false;
  Step& before = steps.steps[static_cast<size_t>(writer)];
  const Slot& to = step.results[0];
  const int64_t channels = to.channels > 0 ? to.channels : to.type.shape()[1];
  if (before.kind != StepKind::kKernel || before.results.size() != 1) return false;
  if (before.prepared->overwritten_operand() >= 0) return false;
  if (!before.prepared->write_into(channels)) return false;
  Slot& written = before.results[0];
  written.channels = channels;
  written.storage = to.storage;
  written.offset += to.offset + channel * byte_size(to.type.dtype);
  uses.add_writer(to.storage, static_cast<size_t>(writer));
  return true;
}

}  // namespace

void write_into_results(Steps& steps) {
  Uses uses(steps);
  std::vector<bool> is_done(steps.steps.size(), false);
  for (size_t i = steps.steps.size(); i-- > 0;) {
    Step& step = steps.steps[i];
    if (step.prepared == nullptr) continue;
    bool all = !step.operands.empty();
    for (size_t operand = 0; operand < step.operands.size(); ++operand) {
      if (write_into_result(steps, uses, step, operand)) {
        step.operands[operand].storage = -1;
      } else {
        all = false;
      }
    }
    is_done[i] = all;
  }
  size_t kept = 0;
  for (size_t i = 0; i < is_done.size(); ++i) {
    if (is_done[i]) continue;
    if (kept != i) steps.steps[kept] = std::move(steps.steps[i]);
    ++kept;
  }
  steps.steps.resize(kept);
}

namespace {

/// Whether result 0 of step `index` may lie where operand `operand` lies. `last` is of the steps
/// as they were before any result took over memory, which makes nothing be read later.
bool may_take_over(const Steps& steps, const std::vector<int>& last, size_t index, size_t operand) {
  const Step& step = steps.steps[index];
  const StorageId storage = step.operands[operand].storage;
  if (steps.storages[at(storage)].kind != StorageKind::kArena) return false;
  if (step.operands[operand].offset != 0 || step.results[0].offset != 0) return false;
  if (last[at(storage)] != static_cast<int>(index)) return false;
  return std::count_if(step.operands.begin(), step.operands.end(),
                       [&](const Slot& slot) { return slot.storage == storage; }) == 1;
}

/// Replaces storages by those that took them over, all the way.
void replace_storages(Steps& steps, std::vector<StorageId> by) {
  const auto last_of = [&](StorageId storage) {
    StorageId last = storage;
    while (by[at(last)] != last) last = by[at(last)];
    while (by[at(storage)] != last) storage = std::exchange(by[at(storage)], last);
    return last;
  };
  for (Step& step : steps.steps) {
    for (auto* slots : {&step.operands, &step.results})
      for (Slot& slot : *slots)
        if (slot.storage >= 0) slot.storage = last_of(slot.storage);
  }
}

/// The step that saves operand `operand` where the result of `step` will overwrite it.
Step saved(const Step& step, size_t operand) {
  const Slot& from = step.operands[operand];
  Step copy;
  copy.kind = StepKind::kCopy;
  copy.name = step.name;
  copy.operands = {from};
  copy.results = {{step.results[0].storage, from.type, from.format}};
  return copy;
}

}  // namespace

void share_overwritten(Steps& steps) {
  const std::vector<int> last = last_uses(steps);
  std::vector<StorageId> by(steps.storages.size());
  std::iota(by.begin(), by.end(), 0);
  std::vector<Step> made;
  for (size_t i = 0; i < steps.steps.size(); ++i) {
    Step& step = steps.steps[i];
    const int reusable = step.prepared == nullptr ? -1 : step.prepared->reusable_operand();
    const int overwritten = step.prepared == nullptr ? -1 : step.prepared->overwritten_operand();
    if (reusable >= 0 && may_take_over(steps, last, i, static_cast<size_t>(reusable))) {
      by[at(step.operands[static_cast<size_t>(reusable)].storage)] = step.results[0].storage;
    } else if (overwritten >= 0) {
      const auto operand = static_cast<size_t>(overwritten);
      const StorageId from = step.operands[operand].storage;
      const StorageId result = step.results[0].storage;
      if (may_take_over(steps, last, i, operand)) {
        int64_t& bytes = steps.storages[at(result)].bytes;
        bytes = std::max(bytes, steps.storages[at(from)].bytes);
        by[at(from)] = result;
      } else {
        made.push_back(saved(step, operand));
        step.operands[operand].storage = result;
      }
    }
    made.push_back(std::move(step));
  }
  steps.steps = std::move(made);
  replace_storages(steps, std::move(by));
}

namespace {

/// Whether step `i` may write result `r` right into the state: nothing after it reads or writes
/// that, and it reads there itself only what it is about to replace.
bool may_write_state(const Steps& steps, const Uses& uses, size_t i, size_t r, StorageId state) {
  if (uses.last(state) > static_cast<int>(i)) return false;
  const Step& step = steps.steps[i];
  for (size_t operand = 0; operand < step.operands.size(); ++operand) {
    if (step.operands[operand].storage != state) continue;
    if (step.prepared == nullptr || !step.prepared->writes_in_place(operand, r)) return false;
  }
  return true;
}

bool write_by_its_step(Steps& steps, Uses& uses, size_t update) {
  Slot& value = steps.updates[update];
  const StorageId state = steps.states[update];
  if (steps.storages[at(value.storage)].kind != StorageKind::kArena) return false;
  if (value.offset != 0 || uses.reads(value.storage) != 1) return false;
  const int writer = uses.only_writer(value.storage);
  if (writer < 0) return false;
  std::vector<Slot>& results = steps.steps[static_cast<size_t>(writer)].results;
  const auto slot = std::find_if(results.begin(), results.end(),
                                 [&](const Slot& it) { return it.storage == value.storage; });
  const auto r = static_cast<size_t>(slot - results.begin());
  if (slot->offset != 0 || slot->channels != 0 || slot->format != nullptr) return false;
  if (!may_write_state(steps, uses, static_cast<size_t>(writer), r, state)) return false;
  slot->storage = state;
  value.storage = state;
  uses.add_writer(state, static_cast<size_t>(writer));
  return true;
}

}  // namespace

void write_updates(Steps& steps) {
  Uses uses(steps);
  std::vector<Step> copies;
  for (size_t u = 0; u < steps.updates.size(); ++u) {
    if (write_by_its_step(steps, uses, u)) continue;
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
