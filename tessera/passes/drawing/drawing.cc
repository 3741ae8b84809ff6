#include "tessera/passes/drawing/drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "tessera/base/text.h"

namespace tessera {
namespace {

using Kind = Drawing::Kind;

size_t at(int id) {
  return static_cast<size_t>(id);
}

Rank first_rank(const Mesh& mesh) {
  return mesh.ranks.empty() ? 0 : *std::min_element(mesh.ranks.begin(), mesh.ranks.end());
}

class Drawer {
 public:
  explicit Drawer(const Placed& placed) : placed_(placed), graph_(placed.graph) {
    for (const std::vector<Form>& forms : placed.forms) items_.emplace_back(forms.size(), kNothing);
    for (const Movement& movement : movements(placed))
      movements_.emplace(std::array{at(movement.value), movement.form, movement.step}, movement);
    for (const PlacedNode& node : placed.nodes) stages_.insert(stage_key(node.results[0]));
    for (const ValueId id : graph_.parameters) loaded_.insert(id);
    for (const auto& [id, tensor] : graph_.constants) loaded_.insert(id);
  }

  Drawing run() {
    made_.title = "mesh " + to_string(*placed_.mesh);
    made_.stages = static_cast<int>(std::max<size_t>(1, stages_.size()));
    for (const ValueId id : graph_.inputs) {
      add({Kind::kEnd,
           {"input " + graph_.values[at(id)].name, type_text(id, placed_.layout(id))},
           stage_of(placed_.layout(id))});
      items_[at(id)][0] = made_.items.size() - 1;
    }
    for (size_t n = 0; n < graph_.nodes.size(); ++n) add_node(n);
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      const ValueId id = graph_.outputs[i];
      const size_t from = form_item(id, at(placed_.output_forms[i]));
      const Layout& layout = placed_.forms[at(id)][at(placed_.output_forms[i])].layout;
      add({Kind::kEnd,
           {"output " + graph_.values[at(id)].name, type_text(id, layout)},
           stage_of(layout)});
      connect(from);
    }
    return std::move(made_);
  }

 private:
  static constexpr size_t kNothing = static_cast<size_t>(-1);

  static Rank stage_key(const Layout& layout) { return first_rank(*layout.mesh); }
  int stage_of(const Layout& layout) const {
    return static_cast<int>(std::distance(stages_.begin(), stages_.lower_bound(stage_key(layout))));
  }
  std::string layout_text(const Layout& layout) const {
    return *layout.mesh == *placed_.mesh ? dims_to_string(layout) : to_string(layout);
  }
  std::string type_text(ValueId id, const Layout& layout) const {
    return to_string(graph_.type(id)) + " " + layout_text(layout);
  }

  void add(Drawing::Item item) { made_.items.push_back(std::move(item)); }
  /// An edge to the item that was added last.
  void connect(size_t from) {
    const Drawing::Edge edge{from, made_.items.size() - 1};
    if (from == kNothing) return;
    if (std::find(made_.edges.begin(), made_.edges.end(), edge) == made_.edges.end())
      made_.edges.push_back(edge);
  }

  void add_node(size_t n) {
    const Node& node = graph_.nodes[n];
    std::vector<size_t> sources;
    for (size_t i = 0; i < node.operands.size(); ++i)
      sources.push_back(form_item(node.operands[i], at(placed_.nodes[n].operand_forms[i])));
    const bool product =
        node.op->name == "conv2d" || node.op->name == "dense" || node.op->name == "matmul";
    Drawing::Item item{product ? Kind::kProduct : Kind::kNode, {}, 0};
    item.stage = stage_of(placed_.nodes[n].results[0]);
    item.lines.push_back(
        fmt::format("{} = {}", graph_.values[at(node.results[0])].name, node.op->name));
    for (size_t r = 0; r < node.results.size(); ++r)
      item.lines.push_back(type_text(node.results[r], placed_.nodes[n].results[r]));
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const ValueId id = node.operands[i];
      if (!loaded_.contains(id)) continue;
      const Form& form = placed_.forms[at(id)][at(placed_.nodes[n].operand_forms[i])];
      item.lines.push_back(
          fmt::format("{} {}", graph_.values[at(id)].name, layout_text(form.layout)));
    }
    add(std::move(item));
    for (const size_t source : sources) connect(source);
    for (const ValueId id : node.results) items_[at(id)][0] = made_.items.size() - 1;
  }

  /// The item that makes a form, added with those that lead to it where it is new.
  size_t form_item(ValueId id, size_t number) {
    size_t& known = items_[at(id)][number];
    const Form& form = placed_.forms[at(id)][number];
    if (known != kNothing || form.from < 0) return known;
    size_t from = form_item(id, at(form.from));
    for (size_t s = 0; s < form.plan.steps.size(); ++s) {
      add(step_item(id, number, s));
      connect(from);
      from = made_.items.size() - 1;
    }
    known = from;
    return known;
  }

  Drawing::Item step_item(ValueId id, size_t number, size_t s) const {
    const Step& step = placed_.forms[at(id)][number].plan.steps[s];
    const std::string axis = step.axis < 0 ? "" : " " + step.after.mesh->axes[at(step.axis)].name;
    Drawing::Item item{Kind::kCut, {}, stage_of(step.after)};
    item.lines.push_back(fmt::format("{}{}", to_string(step.kind), axis));
    item.lines.push_back(graph_.values[at(id)].name + " to " + layout_text(step.after));
    const auto found = movements_.find({at(id), number, s});
    if (found == movements_.end()) return item;
    const Movement& movement = found->second;
    item.kind = movement.running ? Kind::kCollective : Kind::kOnce;
    item.lines.push_back(fmt::format("{}{}", human_bytes(static_cast<uint64_t>(movement.bytes)),
                                     movement.running ? "" : ", once"));
    return item;
  }

  const Placed& placed_;
  const Graph& graph_;
  Drawing made_;
  std::vector<std::vector<size_t>> items_;  // per value and form the item that makes it
  std::map<std::array<size_t, 3>, Movement> movements_;  // by value, form and step
  std::set<Rank> stages_;                                // the first rank of each
  std::set<ValueId> loaded_;                             // parameters and constants
};

std::string dot_escape(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text, 1000)) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

Drawing draw(const Placed& placed) {
  return Drawer(placed).run();
}

std::string fill_of(const Drawing& drawing, const Drawing::Item& item) {
  constexpr std::array<const char*, 6> kStages = {"#d5e8d4", "#dae8fc", "#e1d5e7",
                                                  "#fff2cc", "#d0e0e3", "#f0f0d0"};
  if (item.kind == Kind::kCollective) return "#f8a58a";
  if (item.kind == Kind::kOnce) return "#fbdcd0";
  if (drawing.stages > 1) return kStages[at(item.stage) % kStages.size()];
  switch (item.kind) {
    case Kind::kProduct:
      return "#dae8fc";
    case Kind::kNode:
      return "#eef3f7";
    case Kind::kCut:
      return "#f3ead2";
    default:
      return "#ffffff";
  }
}

std::string to_dot(const Drawing& drawing) {
  std::string text = fmt::format(
      "digraph placed {{\n  label=\"{}\"; labelloc=t; fontname=monospace;\n"
      "  node [shape=box, style=filled, fontname=monospace, fontsize=10];\n",
      dot_escape(drawing.title));
  for (size_t i = 0; i < drawing.items.size(); ++i) {
    const Drawing::Item& item = drawing.items[i];
    std::string label;
    for (const std::string& line : item.lines)
      label += (label.empty() ? "" : "\\n") + dot_escape(line);
    const bool moves = item.kind == Kind::kCollective || item.kind == Kind::kOnce;
    text += fmt::format("  n{} [label=\"{}\", fillcolor=\"{}\"{}];\n", i, label,
                        fill_of(drawing, item), moves ? ", shape=hexagon" : "");
  }
  for (const Drawing::Edge& edge : drawing.edges)
    text += fmt::format("  n{} -> n{};\n", edge.from, edge.to);
  return text + "}\n";
}

}  // namespace tessera
