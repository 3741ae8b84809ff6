#include <fmt/format.h>

#include <algorithm>

#include "cli/output.h"
#include "cli/word.h"
#include "tessera/ops/registry.h"

namespace tessera::cli {
namespace {

std::string operand_text(const OpDef& op) {
  std::string text;
  for (const OperandDef& operand : op.operands)
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", operand.name,
                        operand.variadic   ? "..."
                        : operand.optional ? "?"
                                           : "");
  return text;
}

std::string kernel_text(const OpDef& op) {
  std::string text;
  for (const Kernel& kernel : op.kernels)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", kernel.name);
  return op.is_view ? "a view: nothing runs" : text;
}

void print_table() {
  Table table({"op", "MindSpore", "operands", "attributes", "kernels"});
  for (const OpDef& op : all_ops()) {
    std::string attrs;
    for (const AttrDef& attr : op.attrs)
      attrs += fmt::format("{}{}", attrs.empty() ? "" : ", ", attr.name);
    table.add({std::string(op.name), std::string(op.mindspore_name), operand_text(op), attrs,
               kernel_text(op)});
  }
  fmt::print("{}", table.to_string());
}

void print_json(const std::vector<std::string>& names) {
  Json out;
  out.open('[');
  for (const OpDef& op : all_ops()) {
    const bool chosen = std::find(names.begin(), names.end(), op.name) != names.end();
    if (!names.empty() && !chosen) continue;
    out.open('{').field("name", op.name).field("mindspore", op.mindspore_name);
    out.field("doc", op.doc).field("operands", operand_text(op));
    append_attrs(out, "attributes", op.attrs);
    out.key("kernels").open('[');
    for (const Kernel& kernel : op.kernels) out.value(kernel.name);
    out.close().close();
  }
  fmt::print("{}\n", out.close().text());
}

/// Everything about one op.
void print_op(const OpDef& op) {
  fmt::print("{}({})\n{}\n", op.name, operand_text(op), op.doc);
  if (!op.mindspore_name.empty()) fmt::print("MindSpore: {}\n", op.mindspore_name);
  for (const AttrDef& attr : op.attrs)
    fmt::print("  {} = {}{}  {}\n", attr.name, to_string(attr.default_value),
               attr.required ? " (must be given)" : "", attr.doc);
  fmt::print("kernels, best first: {}\n", kernel_text(op));
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(ops) {
  using namespace tessera::cli;
  return {
      .doc = "list the ops, their operands, attributes and kernels",
      .examples = {"tessera ops", "tessera ops conv2d", "tessera ops --json"},
      .declare =
          [](Arguments& arguments) {
            const auto names = std::make_shared<std::vector<std::string>>();
            const auto json = std::make_shared<bool>(false);
            arguments.positionals("op", *names, "only these, in full", false);
            arguments.flag("--json", *json, "print JSON");
            return [names, json] {
              for (const std::string& name : *names)
                read_usage([&] { return &tessera::require_op(name); });
              if (*json) return print_json(*names);
              for (const std::string& name : *names) print_op(tessera::require_op(name));
              if (names->empty()) print_table();
            };
          },
  };
}
