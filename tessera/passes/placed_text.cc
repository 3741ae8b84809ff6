// A placed graph as text: see place.h.
//
//   input x : f32[8,12] {dp=2,tp=2} [dp, -]
//   v2 = dense(x, fc.weight) : f32[8,6] [dp, tp]
//     all_gather v2 tp dim 1: [dp, -]
//   output v2 [dp, -]
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "tessera/base/text.h"
#include "tessera/passes/place.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

std::string bytes_text(int64_t bytes) {
  return human_bytes(static_cast<uint64_t>(bytes));
}

class PlacedText {
 public:
  PlacedText(const Placed& placed, bool with_bytes)
      : placed_(placed), graph_(placed.graph), with_bytes_(with_bytes) {
    if (with_bytes_) movements_ = movements(placed);
    for (const Movement& movement : movements_)
      by_step_[{at(movement.value), movement.form, movement.step}] = &movement;
  }

  std::string graph() const {
    std::string text = fmt::format("mesh {}\n", to_string(*placed_.mesh));
    for (const ValueId id : graph_.inputs) text += "input " + declaration(id);
    for (const ValueId id : graph_.parameters) text += "parameter " + declaration(id);
    for (const auto& [id, tensor] : graph_.constants) text += "constant " + declaration(id);
    const std::vector<std::string> steps = steps_before();
    for (size_t n = 0; n < graph_.nodes.size(); ++n) text += steps[n] + node_line(n);
    text += steps.back();
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      const ValueId id = graph_.outputs[i];
      const Form& form = placed_.forms[at(id)][at(placed_.output_forms[i])];
      text += fmt::format("output {} {}\n", graph_.values[at(id)].name, layout_text(form.layout));
    }
    return text;
  }

  /// What moves, by kind.
  std::string totals() const {
    struct Total {
      int64_t count = 0;
      int64_t bytes = 0;
      int64_t largest = 0;
    };
    std::map<std::pair<bool, std::string_view>, Total> totals;  // when compiled first
    for (const Movement& movement : movements_) {
      Total& total = totals[{movement.running, to_string(movement.kind)}];
      ++total.count;
      total.bytes += movement.bytes;
      total.largest = std::max(total.largest, movement.largest);
    }
    std::string text;
    for (const bool running : {true, false}) {
      Total all;
      std::string lines;
      for (const auto& [key, total] : totals) {
        if (key.first != running) continue;
        all.count += total.count;
        all.bytes += total.bytes;
        lines += fmt::format("  {} {}: {}, at most {} to one rank\n", total.count, key.second,
                             bytes_text(total.bytes), bytes_text(total.largest));
      }
      if (running || all.count > 0)
        text += fmt::format("moved {}: {} in {} step{}\n{}",
                            running ? "in every run" : "once, when compiled", bytes_text(all.bytes),
                            all.count, all.count == 1 ? "" : "s", lines);
    }
    return text;
  }

  /// "stage 0: ranks 0-3, 12 nodes", where there are several.
  std::string stages() const {
    std::map<std::vector<Rank>, size_t> nodes;  // by the ranks of the stage
    for (const PlacedNode& node : placed_.nodes) {
      ++nodes[node.results[0].mesh->sorted_ranks()];
    }
    if (nodes.size() < 2) return "";
    std::string text;
    size_t number = 0;
    for (const auto& [ranks, count] : nodes)
      text += fmt::format("stage {}: ranks {} to {}, {} nodes\n", number++, ranks.front(),
                          ranks.back(), count);
    return text;
  }

 private:
  std::string layout_text(const Layout& layout) const {
    return *layout.mesh == *placed_.mesh ? dims_to_string(layout) : to_string(layout);
  }

  /// Of the rank that holds most.
  int64_t bytes_on_a_rank(ValueId id) const {
    const Layout& layout = placed_.layout(id);
    int64_t most = 0;
    for (const Rank rank : layout.mesh->all_ranks())
      most =
          std::max(most, element_count(local_box(layout, graph_.values[at(id)].shape, rank).size));
    return most * byte_size(graph_.values[at(id)].dtype);
  }

  std::string declaration(ValueId id) const {
    return fmt::format("{} : {} {}{}\n", graph_.values[at(id)].name, to_string(graph_.type(id)),
                       layout_text(placed_.layout(id)),
                       with_bytes_ ? ": " + bytes_text(bytes_on_a_rank(id)) + " per rank" : "");
  }

  /// Per node, and for the end, the steps of the forms that are made before it.
  std::vector<std::string> steps_before() const {
    std::vector<std::string> texts(graph_.nodes.size() + 1);
    for (size_t id = 0; id < placed_.forms.size(); ++id) {
      for (size_t form = 0; form < placed_.forms[id].size(); ++form) {
        const Form& made = placed_.forms[id][form];
        if (made.from < 0) continue;
        for (size_t step = 0; step < made.plan.steps.size(); ++step)
          texts[made.before] += step_line(id, form, step);
      }
    }
    return texts;
  }

  std::string step_line(size_t id, size_t form, size_t number) const {
    const Step& step = placed_.forms[id][form].plan.steps[number];
    const std::string axis = step.axis < 0 ? "" : " " + step.after.mesh->axes[at(step.axis)].name;
    std::string text = fmt::format("  {} {}{}: {}", to_string(step.kind), graph_.values[id].name,
                                   axis, layout_text(step.after));
    const auto found = by_step_.find({id, form, number});
    if (found != by_step_.end()) {
      const Movement& movement = *found->second;
      text += fmt::format(" <- {}, at most {} to one of {} ranks{}", bytes_text(movement.bytes),
                          bytes_text(movement.largest), movement.ranks,
                          movement.running ? "" : ", once");
    }
    return text + "\n";
  }

  std::string node_line(size_t n) const {
    const Node& node = graph_.nodes[n];
    std::vector<std::string> results;
    std::vector<std::string> operands;
    std::vector<std::string> types;
    for (const ValueId id : node.results) {
      results.push_back(graph_.values[at(id)].name);
      types.push_back(
          fmt::format("{} {}", to_string(graph_.type(id)), layout_text(placed_.layout(id))));
    }
    for (const ValueId id : node.operands) operands.push_back(graph_.values[at(id)].name);
    return fmt::format("{} = {}({}) : {}{}{}\n", join(results, ", "), node.op->name,
                       join(operands, ", "), join(types, ", "), node.scope.empty() ? "" : "  # ",
                       node.scope);
  }

  const Placed& placed_;
  const Graph& graph_;
  bool with_bytes_;
  std::vector<Movement> movements_;
  std::map<std::array<size_t, 3>, const Movement*> by_step_;  // value, form, step
};

}  // namespace

std::string to_string(const Placed& placed) {
  return PlacedText(placed, false).graph();
}

std::string explain(const Placed& placed) {
  const PlacedText text(placed, true);
  return text.graph() + "\n" + text.stages() + text.totals();
}

}  // namespace tessera
