// layouts.txt: how parameters are cut, written by people. docs/formats/layouts-txt.md describes it.
#include <algorithm>
#include <map>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategies/internal/layouts_reader.h"
#include "tessera/checkpoint/strategy_form.h"

namespace tessera {
namespace {

constexpr std::string_view kName = "layouts.txt";
constexpr size_t kWidestName = 64;  // longer ones are not aligned

template <typename Numbers>
std::string list(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) text += fmt::format("{}{}", text.empty() ? "" : ",", number);
  return text;
}

/// A name as it stands at the start of a line.
std::string name_text(const std::string& name, bool is_pattern) {
  const bool plain = !name.empty() && !internal::is_keyword(name) &&
                     std::string_view("\"#[{").find(name[0]) == std::string_view::npos &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return static_cast<unsigned char>(c) > ' ' && c != 0x7F;
                     });
  const bool wild = name.find_first_of("*?") != std::string::npos;
  if (plain && wild == is_pattern) return name;
  if (is_pattern)
    fail(ErrorCode::kUnsupported, "the pattern '{}' cannot be written in layouts.txt: {}",
         printable(name), plain ? "it has neither '*' nor '?'" : "it has a space; '?' matches one");
  std::string text = "\"";
  for (const char c : json_escape(name)) text += c == 0x7F ? "\\u007f" : std::string(1, c);
  return text + "\"";
}

std::string options_text(const ParameterLayout& one) {
  std::string text;
  if (one.optimizer_size == -1) text += " opt=all";
  if (one.optimizer_size > 0) text += fmt::format(" opt={}", one.optimizer_size);
  if (one.optimizer_step > 0) text += fmt::format(" step={}", one.optimizer_step);
  if (one.field > 0) text += fmt::format(" field={}", one.field);
  if (!one.split_rows.empty()) text += " rows=" + list(one.split_rows);
  if (!one.row_offsets.empty()) text += " offsets=" + list(one.row_offsets);
  if (one.shape) text += " shape=" + list(*one.shape);
  return text.empty() ? text : " " + text;
}

/// The mesh of most parameters.
MeshPtr common_mesh(const Strategy& strategy) {
  std::map<std::string, size_t> counts;
  MeshPtr best = strategy.parameters.at(0).layout.mesh;
  size_t most = 0;
  for (const ParameterLayout& one : strategy.parameters) {
    const size_t count = ++counts[to_string(*one.layout.mesh)];
    if (count <= most) continue;
    most = count;
    best = one.layout.mesh;
  }
  return best;
}

class Writer {
 public:
  explicit Writer(const Strategy& strategy) : strategy_(strategy) {}

  std::string write() {
    if (strategy_.current_stage != 1) out_ += fmt::format("saves {}\n", strategy_.current_stage);
    const MeshPtr mesh = common_mesh(strategy_);
    out_ += fmt::format("mesh {}\n", to_string(*mesh));
    if (strategy_.stage_count > 1) out_ += fmt::format("stages {}\n", strategy_.stage_count);
    out_ += '\n';
    put_parameters(*mesh);
    if (!strategy_.operators.empty()) out_ += "\n# The pieces per dim of each operand.\n";
    for (const OperatorStrategy& op : strategy_.operators) {
      put_stage(op.stage);
      out_ += "operator " + name_text(op.name, false);
      for (const std::vector<int>& pieces : op.operands) out_ += fmt::format(" [{}]", list(pieces));
      out_ += '\n';
    }
    return std::move(out_);
  }

 private:
  void put_parameters(const Mesh& mesh) {
    std::vector<std::string> names;
    size_t widest = 0;
    for (const ParameterLayout& one : strategy_.parameters) {
      names.push_back(name_text(one.name, one.is_pattern));
      if (names.back().size() <= kWidestName) widest = std::max(widest, names.back().size());
    }
    for (size_t i = 0; i < names.size(); ++i) {
      const ParameterLayout& one = strategy_.parameters[i];
      put_stage(one.stage);
      out_ += fmt::format("{:<{}}  ", names[i], widest);
      if (*one.layout.mesh != mesh) out_ += to_string(*one.layout.mesh) + " ";
      out_ += one.any_ndim ? "[...]" : dims_to_string(one.layout);
      out_ += options_text(one) + "\n";
    }
  }

  void put_stage(int stage) {
    if (strategy_.stage_count == 1 || stage == stage_) return;
    out_ += fmt::format("{}stage {}\n", stage_ >= 0 ? "\n" : "", stage);
    stage_ = stage;
  }

  const Strategy& strategy_;
  int stage_ = -1;
  std::string out_;
};

class LayoutsTxt : public StrategyForm {
 public:
  std::string_view name() const override { return kName; }
  std::string_view suffix() const override { return ".txt"; }
  bool recognizes(std::string_view head) const override {
    return internal::begins_like_layouts(head);
  }
  Strategy read(std::string_view content) const override {
    Strategy strategy = internal::read_layouts(content);
    strategy.format = kName;
    return strategy;
  }
  std::string write(const Strategy& strategy) const override { return Writer(strategy).write(); }
};

}  // namespace

const StrategyForm& strategy_layouts_txt() {
  static const LayoutsTxt form;
  return form;
}

Strategy parse_layouts(std::string_view text) {
  Strategy strategy = internal::read_layouts(text);
  strategy.format = kName;
  return strategy;
}

std::string to_string(const Strategy& strategy) {
  require(!strategy.parameters.empty(), "a strategy without parameters has no text");
  return Writer(strategy).write();
}

}  // namespace tessera
