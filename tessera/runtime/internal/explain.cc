#include "tessera/runtime/internal/explain.h"

#include <algorithm>
#include <array>

#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

using Row = std::array<std::string, 6>;

std::string format_text(const Slot& slot) {
  return to_string(slot.format);
}

/// Operand formats before the arrow, result formats after it; constants are in parentheses.
std::string formats_text(const Steps& steps, const Step& step) {
  std::vector<std::string> operands;
  std::vector<std::string> results;
  for (const Slot& slot : step.operands) {
    if (slot.storage < 0) {
      operands.push_back("in place");
      continue;
    }
    const Storage& storage = steps.storages[static_cast<size_t>(slot.storage)];
    const std::string text = format_text(slot);
    operands.push_back(storage.kind == StorageKind::kConstant ? "(" + text + ")" : text);
  }
  for (const Slot& slot : step.results) results.push_back(format_text(slot));
  return join(operands, " ") + " -> " + join(results, " ");
}

std::string place_text(const Steps& steps, const Step& step, std::span<const int64_t> offsets) {
  const Slot& slot = step.results[0];
  const Storage& storage = steps.storages[static_cast<size_t>(slot.storage)];
  const std::string bytes = human_bytes(static_cast<uint64_t>(storage.bytes));
  if (storage.kind == StorageKind::kOutput) return fmt::format("{} output", bytes);
  if (slot.offset > 0) {
    return fmt::format("inside {} at {}", bytes, offsets[static_cast<size_t>(slot.storage)]);
  }
  return fmt::format("{} at {}", bytes, offsets[static_cast<size_t>(slot.storage)]);
}

/// "conv2d+bias+relu of conv1": the op with what was fused into it, and where it stands.
std::string node_text(const Node& node) {
  std::string text(node.op->name);
  const auto activation = node.attrs.find("activation");
  if (activation != node.attrs.end()) {
    for (size_t i = 2; i < node.operands.size(); ++i)
      text += fmt::format("+{}", node.op->operands[i].name);
    const auto* function = std::get_if<std::string>(&activation->second);
    if (function != nullptr && !function->empty()) text += "+" + *function;
  }
  return node.scope.empty() ? text : text + " of " + node.scope;
}

Row step_row(const Steps& steps, const Step& step, std::span<const int64_t> offsets) {
  return {step.name,
          op_text(step),
          to_string(step.results[0].type),
          kernel_text(step),
          formats_text(steps, step),
          place_text(steps, step, offsets)};
}

std::string table(std::span<const Row> rows, const Steps& steps) {
  std::array<size_t, 6> widths{};
  for (const Row& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (size_t c = 0; c < rows[r].size(); ++c) {
      line += fmt::format("{:<{}}  ", rows[r][c], widths[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    if (r == 0) continue;
    for (const std::string& reason : steps.steps[r - 1].refused) {
      text += "    not " + reason + "\n";
    }
  }
  return text;
}

}  // namespace

std::string op_text(const Step& step) {
  switch (step.kind) {
    case StepKind::kKernel:
      return node_text(*step.node);
    case StepKind::kReorder:
      return "reorder";
    case StepKind::kCopy:
      break;
  }
  return "copy";
}

std::string kernel_text(const Step& step) {
  if (step.kind == StepKind::kCopy) return "the next step overwrites it";
  const std::string detail = step.prepared->detail();
  if (step.kind == StepKind::kReorder) return detail;
  return std::string(step.kernel) + (detail.empty() ? "" : " " + detail);
}

std::string explain(const Steps& steps, const MemoryPlan& memory, std::span<const int64_t> offsets,
                    int threads) {
  std::vector<Row> rows{{"value", "op", "type", "kernel", "formats (constants)", "memory"}};
  for (const Step& step : steps.steps) rows.push_back(step_row(steps, step, offsets));
  std::string text = table(rows, steps);

  const auto reorders = std::count_if(steps.steps.begin(), steps.steps.end(), [](const Step& step) {
    return step.kind == StepKind::kReorder;
  });
  text += fmt::format("\n{} steps, {} of them reorders; at most {} threads\n", steps.steps.size(),
                      reorders, threads);
  if (!steps.notes.empty()) {
    text += fmt::format("computed when compiled: {}\n", join(steps.notes, ", "));
  }
  const auto bytes = [](int64_t count) { return human_bytes(static_cast<uint64_t>(count)); };
  text += fmt::format(
      "activations: {} in one arena (at least {} live at once; {} without reuse)\nweights: {}\n",
      bytes(memory.total), bytes(memory.peak), bytes(memory.without_reuse),
      bytes(steps.weight_bytes));
  return text;
}

}  // namespace tessera::internal
