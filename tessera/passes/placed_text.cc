// A placed graph as text: see place.h.
//
//   input x : f32[8,12] {dp=2,tp=2} [dp, -]
//   v2 = dense(x, fc.weight) : f32[8,6] [dp, tp]
//     all_gather v2 tp dim 1: [dp, -]
//   output v2 [dp, -]
#include <fmt/format.h>

#include "tessera/base/text.h"
#include "tessera/passes/place.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

std::string layout_text(const Placed& placed, const Layout& layout) {
  return *layout.mesh == *placed.mesh ? dims_to_string(layout) : to_string(layout);
}

std::string declaration(const Placed& placed, ValueId id) {
  return fmt::format("{} : {} {}", placed.graph.values[at(id)].name,
                     to_string(placed.graph.type(id)), layout_text(placed, placed.layout(id)));
}

/// The steps of the forms that are made before node `before`.
std::string steps_before(const Placed& placed, size_t before) {
  std::string text;
  for (size_t id = 0; id < placed.forms.size(); ++id) {
    for (const Form& form : placed.forms[id]) {
      if (form.from < 0 || form.before != before) continue;
      for (const Step& step : form.plan.steps) {
        const std::string axis =
            step.axis < 0 ? "" : " " + step.after.mesh->axes[at(step.axis)].name;
        text += fmt::format("  {} {}{}: {}\n", to_string(step.kind), placed.graph.values[id].name,
                            axis, layout_text(placed, step.after));
      }
    }
  }
  return text;
}

std::string node_line(const Placed& placed, size_t n) {
  const Node& node = placed.graph.nodes[n];
  std::vector<std::string> results;
  std::vector<std::string> operands;
  std::vector<std::string> types;
  for (const ValueId id : node.results) {
    results.push_back(placed.graph.values[at(id)].name);
    types.push_back(fmt::format("{} {}", to_string(placed.graph.type(id)),
                                layout_text(placed, placed.layout(id))));
  }
  for (const ValueId id : node.operands) operands.push_back(placed.graph.values[at(id)].name);
  return fmt::format("{} = {}({}) : {}{}{}\n", join(results, ", "), node.op->name,
                     join(operands, ", "), join(types, ", "), node.scope.empty() ? "" : "  # ",
                     node.scope);
}

}  // namespace

std::string to_string(const Placed& placed) {
  const Graph& graph = placed.graph;
  std::string text = fmt::format("mesh {}\n", to_string(*placed.mesh));
  for (const ValueId id : graph.inputs) text += "input " + declaration(placed, id) + "\n";
  for (const ValueId id : graph.parameters) text += "parameter " + declaration(placed, id) + "\n";
  for (const auto& [id, tensor] : graph.constants)
    text += "constant " + declaration(placed, id) + "\n";
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    text += steps_before(placed, n) + node_line(placed, n);
  text += steps_before(placed, graph.nodes.size());
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId id = graph.outputs[i];
    const Form& form = placed.forms[at(id)][at(placed.output_forms[i])];
    text +=
        fmt::format("output {} {}\n", graph.values[at(id)].name, layout_text(placed, form.layout));
  }
  return text;
}

}  // namespace tessera
