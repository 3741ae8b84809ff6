// Chooses a kernel per node and the formats between them, walking the graph forward: a kernel is
// offered the formats in which its operands are at hand and says what it wants; what differs is
// reordered, weights here and activations in a step of their own.
#include <algorithm>

#include "tessera/ops/registry.h"
#include "tessera/runtime/internal/steps.h"

namespace tessera::internal {
namespace {

int64_t byte_count(const TensorType& type, const Format& format) {
  if (format != nullptr) return format->byte_count();
  return checked_product(element_count(type.shape()), byte_size(type.dtype));
}

class StepBuilder {
 public:
  StepBuilder(const Graph& graph, Constants& constants, const CompileOptions& options)
      : graph_(graph), constants_(constants), options_(options), forms_(graph.values.size()) {}

  Steps build() {
    steps_.notes = constants_.notes();
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      const ValueId id = graph_.inputs[i];
      const StorageId storage = add_storage(StorageKind::kInput, id, nullptr);
      steps_.storages.back().index = static_cast<int>(i);
      steps_.inputs.push_back(storage);
      forms_[index(id)].push_back({storage, graph_.type(id), nullptr});
    }
    const std::vector<bool> needed = needed_nodes(graph_);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (needed[n]) add_node(graph_.nodes[n]);
    }
    for (size_t i = 0; i < graph_.outputs.size(); ++i) add_output(i);
    for (const Storage& storage : steps_.storages) {
      if (storage.kind == StorageKind::kConstant) steps_.weight_bytes += storage.bytes;
    }
    return std::move(steps_);
  }

 private:
  static size_t index(ValueId id) { return static_cast<size_t>(id); }
  bool is_known(ValueId id) const { return constants_.has(id); }
  const std::string& name(ValueId id) const { return graph_.values[index(id)].name; }

  StorageId add_storage(StorageKind kind, ValueId id, const Format& format) {
    steps_.storages.push_back({kind, name(id), byte_count(graph_.type(id), format), -1, {}});
    return static_cast<StorageId>(steps_.storages.size() - 1);
  }

  void add_node(const Node& node) {
    const ErrorContext context([&] {
      return fmt::format("compiling node '{}' ({}{}{})", name(node.results[0]), node.op->name,
                         node.scope.empty() ? "" : " of ", node.scope);
    });
    if (is_known(node.results[0])) return;
    if (node.op->is_view) {
      const Slot from = take(node.operands[0], nullptr);
      forms_[index(node.results[0])].push_back(
          {from.storage, graph_.type(node.results[0]), nullptr});
    } else {
      add_kernel_step(node);
    }
  }

  void add_kernel_step(const Node& node) {
    Step step;
    step.node = &node;
    step.name = name(node.results[0]);
    step.operand_types = graph_.types(node.operands);
    step.result_types = graph_.types(node.results);
    std::vector<const Tensor*> constants;
    Formats offered;
    for (const ValueId id : node.operands) {
      constants.push_back(is_known(id) ? &constants_.placeholder(id) : nullptr);
      offered.operands.push_back(is_known(id) ? nullptr : forms_[index(id)].front().format);
    }
    const OpCall call{step.operand_types, step.result_types, node.attrs, constants, options_.world};
    choose_kernel(step, call, offered);

    const Formats& formats = step.prepared->formats();
    for (size_t i = 0; i < node.operands.size(); ++i) {
      step.operands.push_back(take(node.operands[i], formats.operands[i]));
    }
    for (size_t r = 0; r < node.results.size(); ++r) {
      const ValueId id = node.results[r];
      const StorageId storage = add_storage(StorageKind::kArena, id, formats.results[r]);
      step.results.push_back({storage, graph_.type(id), formats.results[r]});
      forms_[index(id)].push_back(step.results.back());
    }
    steps_.steps.push_back(std::move(step));
  }

  void choose_kernel(Step& step, const OpCall& call, const Formats& offered) const {
    for (const Kernel& kernel : step.node->op->kernels) {
      if (kernel.precision != Precision::kF32 && kernel.precision != options_.precision) continue;
      if (kernel.for_one_run && !options_.runs_once) continue;
      const bool is_reference = kernel.function != nullptr;
      Support support = Support::yes();
      if (options_.reference_only && !is_reference && !step.node->op->is_collective) {
        support = Support::no("reference kernels only were asked for");
      } else if (options_.deterministic && !kernel.position_independent) {
        support = Support::no("its rounding depends on the tile");
      } else if (kernel.supports != nullptr) {
        support = kernel.supports(call);
      }
      if (support.ok && kernel.suits != nullptr) support = kernel.suits(call, offered);
      if (support.ok) {
        step.kernel = kernel.name;
        if (!kernel.takes_constants_packed) compute_constants(*step.node);
        step.prepared =
            is_reference ? prepare_reference(kernel, call) : kernel.prepare(call, offered);
        return;
      }
      step.refused.push_back(fmt::format("{}: {}", kernel.name, support.reason));
    }
    std::string reasons;
    for (const std::string& reason : step.refused) reasons += "; " + reason;
    fail(ErrorCode::kUnsupported, "no kernel computes {}{}", step.node->op->name, reasons);
  }

  /// Before a kernel that looks at the values of its constants is prepared.
  void compute_constants(const Node& node) const {
    for (const ValueId id : node.operands) {
      if (is_known(id)) (void)constants_.value(id);
    }
  }

  /// The value in this format: at hand, or reordered now (constants) or in a step (activations).
  Slot take(ValueId id, const Format& wanted) {
    std::vector<Slot>& forms = forms_[index(id)];
    for (const Slot& form : forms) {
      if (same_format(form.format, wanted)) return form;
    }
    const TensorType type = graph_.type(id);
    Slot made{-1, type, wanted};
    if (is_known(id)) {
      made.storage = add_storage(StorageKind::kConstant, id, wanted);
      steps_.storages.back().constant = constants_.in_format(id, wanted);
    } else {
      made.storage = add_storage(StorageKind::kArena, id, wanted);
      Step step;
      step.kind = StepKind::kReorder;
      step.name = name(id);
      step.operand_types = {type};
      step.operands = {forms.front()};
      step.results = {made};
      step.prepared = prepare_reorder(type, forms.front().format, wanted);
      steps_.steps.push_back(std::move(step));
    }
    forms.push_back(made);
    return made;
  }

  void add_output(size_t i) {
    const Slot slot = take(graph_.outputs[i], nullptr);
    Storage& storage = steps_.storages[static_cast<size_t>(slot.storage)];
    if (storage.kind == StorageKind::kArena) {
      storage.kind = StorageKind::kOutput;
      storage.index = static_cast<int>(i);
    }
    steps_.outputs.push_back(slot);
  }

  const Graph& graph_;
  Constants& constants_;
  const CompileOptions& options_;
  std::vector<std::vector<Slot>> forms_;  // per value, as computed first, then reordered
  Steps steps_;
};

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
  int64_t uses = std::count_if(steps.outputs.begin(), steps.outputs.end(), is_it);
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

Steps build_steps(const Graph& graph, Constants& constants, const CompileOptions& options) {
  return StepBuilder(graph, constants, options).build();
}

std::vector<int> last_uses(const Steps& steps) {
  std::vector<int> last(steps.storages.size(), -1);
  for (size_t i = 0; i < steps.steps.size(); ++i) {
    for (const auto* slots : {&steps.steps[i].operands, &steps.steps[i].results}) {
      for (const Slot& slot : *slots) {
        if (slot.storage < 0) continue;
        last[static_cast<size_t>(slot.storage)] = static_cast<int>(i);
      }
    }
  }
  for (const Slot& slot : steps.outputs) {
    last[static_cast<size_t>(slot.storage)] = static_cast<int>(steps.steps.size());
  }
  return last;
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

}  // namespace tessera::internal
