// Writes what follows from the ops' definitions, to standard output: the C++ functions that add
// nodes to a graph, and the page of all ops. tools/generate.py puts it where it belongs.
//
//   tessera_generate header|source|page
#include <fmt/core.h>

#include <string>

#include "tessera/ops/registry.h"

namespace tessera {
namespace {

constexpr size_t kColumns = 100;

/// `text` in lines of up to kColumns, each after `prefix`.
std::string wrapped(std::string_view text, std::string_view prefix) {
  std::string out;
  std::string line(prefix);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    if (line.size() > prefix.size() && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line = prefix;
    }
    line += line.size() == prefix.size() && prefix.empty() ? "" : " ";
    line += word;
    begin = end + 1;
  }
  return out + line + "\n";
}

std::string attr_text(const AttrDef& attr) {
  if (attr.required)
    return fmt::format("{} ({}, must be given)", attr.name, type_name(attr.default_value));
  return fmt::format("{} = {}", attr.name, to_string(attr.default_value));
}

/// The lists of operands that a function can have: optional ones come from the left, one by one.
std::vector<std::vector<std::string_view>> overloads(const OpDef& op) {
  std::vector<std::vector<std::string_view>> lists;
  std::vector<std::string_view> names;
  for (const OperandDef& operand : op.operands) {
    if (operand.optional) lists.push_back(names);
    names.push_back(operand.name);
  }
  lists.push_back(names);
  return lists;
}

std::string parameters(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += fmt::format("Value {}, ", name);
  return text;
}

bool is_variadic(const OpDef& op) {
  return op.operands.back().variadic;
}

std::string attrs_sentence(const OpDef& op) {
  if (op.attrs.empty()) return {};
  std::string text;
  for (const AttrDef& attr : op.attrs)
    text += (text.empty() ? " Attributes: " : ", ") + attr_text(attr);
  return text + ".";
}

std::string header() {
  std::string text =
      "// Functions that add nodes to a graph: one per op, with the same names and attributes. "
      "Each\n"
      "// gives the op's result and throws kInvalidArgument where the op refuses the call.\n"
      "//\n"
      "//   Value y = relu(conv2d(x, weight, {{\"pad_mode\", \"valid\"}}));\n"
      "//\n"
      "// Written by tools/generate.py from the definitions in tessera/ops; do not edit.\n"
      "#pragma once\n\n"
      "#include <initializer_list>\n"
      "#include <span>\n\n"
      "#include \"tessera/graph/value.h\"\n\n"
      "namespace tessera {\n";
  for (const OpDef& op : all_ops()) {
    text += "\n" + wrapped(std::string(op.doc) + attrs_sentence(op), "///");
    if (is_variadic(op)) {
      const std::string_view name = op.operands.back().name;
      text += fmt::format("Value {}(std::span<const Value> {}, const Attrs& attrs = {{}});\n",
                          op.name, name);
      text += fmt::format("Value {}(std::initializer_list<Value> {}, const Attrs& attrs = {{}});\n",
                          op.name, name);
      continue;
    }
    for (const auto& names : overloads(op))
      text += fmt::format("Value {}({}const Attrs& attrs = {{}});\n", op.name, parameters(names));
  }
  return text + "\n}  // namespace tessera\n";
}

std::string source() {
  std::string text =
      "// Written by tools/generate.py from the definitions in tessera/ops; do not edit.\n"
      "#include \"tessera/ops/ops.h\"\n\n"
      "#include <array>\n\n"
      "#include \"tessera/ops/internal/emit.h\"\n\n"
      "namespace tessera {\n";
  for (const OpDef& op : all_ops()) {
    if (is_variadic(op)) {
      const std::string_view name = op.operands.back().name;
      text += fmt::format(
          "\nValue {0}(std::span<const Value> {1}, const Attrs& attrs) {{\n"
          "  return internal::emit(\"{0}\", {1}, attrs);\n}}\n"
          "\nValue {0}(std::initializer_list<Value> {1}, const Attrs& attrs) {{\n"
          "  return internal::emit(\"{0}\", std::span<const Value>({1}.begin(), {1}.size()), "
          "attrs);\n}}\n",
          op.name, name);
      continue;
    }
    for (const auto& names : overloads(op)) {
      std::string list;
      for (const std::string_view name : names)
        list += (list.empty() ? "" : ", ") + std::string(name);
      text += fmt::format(
          "\nValue {0}({1}const Attrs& attrs) {{\n"
          "  return internal::emit(\"{0}\", std::array{{{2}}}, attrs);\n}}\n",
          op.name, parameters(names), list);
    }
  }
  return text + "\n}  // namespace tessera\n";
}

/// `text` as prose of a page: what Markdown would take for its own is escaped.
std::string prose(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("|*_[]<>").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string signature(const OpDef& op) {
  std::string text;
  for (const OperandDef& operand : op.operands)
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", operand.name,
                        operand.variadic ? "..." : (operand.optional ? "?" : ""));
  return fmt::format("{}({})", op.name, text);
}

std::string kernels(const OpDef& op) {
  if (op.is_view) return "none runs: a view";
  std::string text;
  for (const Kernel& kernel : op.kernels)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", kernel.name);
  return text;
}

/// The op's rule for its first example.
std::string first_rule(const OpDef& op) {
  const OpExample& example = op.examples[0];
  std::vector<TensorType> types;
  for (size_t i = 0; i < example.shapes.size(); ++i)
    types.emplace_back(i < example.dtypes.size() ? example.dtypes[i] : DType::kF32,
                       example.shapes[i]);
  const Attrs attrs = complete_attrs(op, example.attrs);
  const std::vector<TensorType> results = infer_results(op, types, attrs);
  return op.rule({types, results, attrs, {}});
}

std::string section(const OpDef& op) {
  std::string text = fmt::format("\n## {}\n\n`{}` — MindSpore: {}\n\n{}\n\n", op.name,
                                 signature(op), op.mindspore_name, prose(op.doc));
  text += "| operand | dtypes |\n|---|---|\n";
  for (const OperandDef& operand : op.operands)
    text += fmt::format("| {}{} | {} |\n", operand.name,
                        operand.variadic ? ", any number" : (operand.optional ? ", optional" : ""),
                        to_string(operand.dtypes));
  if (!op.attrs.empty()) text += "\n| attribute | default | meaning |\n|---|---|---|\n";
  for (const AttrDef& attr : op.attrs)
    text +=
        fmt::format("| {} | {} | {} |\n", attr.name,
                    attr.required ? fmt::format("must be given: {}", type_name(attr.default_value))
                                  : fmt::format("`{}`", to_string(attr.default_value)),
                    prose(attr.doc));
  std::string shapes;
  for (const Shape& shape : op.examples[0].shapes)
    shapes += (shapes.empty() ? "" : ", ") + to_string(shape);
  return text + fmt::format("\nRule for {}: `{}`. Kernels, best first: {}.\n", shapes,
                            first_rule(op), kernels(op));
}

std::string page() {
  std::string text =
      "# Ops\n\n"
      "Written by `tools/generate.py` from the definitions in `tessera/ops`; do not edit. Rules "
      "are read as "
      "`tessera/layout/sharding_rule.h` says.\n\n"
      "| op | MindSpore | kernels |\n|---|---|---|\n";
  for (const OpDef& op : all_ops())
    text += fmt::format("| [{0}](#{0}) | {1} | {2} |\n", op.name, prose(op.mindspore_name),
                        kernels(op));
  for (const OpDef& op : all_ops()) text += section(op);
  return text;
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "header")
    fmt::print("{}", tessera::header());
  else if (what == "source")
    fmt::print("{}", tessera::source());
  else if (what == "page")
    fmt::print("{}", tessera::page());
  else
    return fmt::print(stderr, "usage: tessera_generate header|source|page\n"), 2;
  return 0;
}
