#include "tests/placement/case_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/placement/nets.h"

namespace tessera::testing {
namespace {

/// Uneven, and few enough that some ranks have none.
int64_t rows_for(const std::string& net) {
  return net == "lenet5" ? 3 : 5;
}

/// One sharding per layout that `layout_in` finds in it.
template <typename LayoutIn>
std::vector<std::pair<Layout, std::string>> one_per_layout(const std::vector<RuleLayouts>& all,
                                                           bool with_mesh, LayoutIn layout_in) {
  std::vector<std::pair<Layout, std::string>> made;
  std::set<std::string> seen;
  for (const RuleLayouts& layouts : all) {
    const Layout layout = layout_in(layouts);
    if (seen.insert(to_string(layout)).second)
      made.emplace_back(layout, sharding_text(layouts.operands, with_mesh));
  }
  return made;
}

/// All pairs of how operand `operand` of `reader` is computed, over one mesh, and wanted, over
/// another.
void add_edge(const PlacementCase& base, size_t reader, size_t operand,
              const std::pair<std::string, std::string>& on, std::vector<PlacementCase>& cases) {
  const Graph graph = make_net(base.net, base.rows);
  const ValueId id = graph.nodes[reader].operands[operand];
  const MeshPtr before = parse_mesh(on.first);
  const MeshPtr after = parse_mesh(on.second);
  const auto ends =
      one_per_layout(every_sharding(rule_of_node(graph, reader), after), true,
                     [&](const RuleLayouts& layouts) { return layouts.operands[operand]; });
  for (size_t n = 0; n < reader; ++n) {
    if (graph.nodes[n].results[0] != id) continue;
    for (const auto& [from, said] :
         one_per_layout(every_sharding(rule_of_node(graph, n), before), true,
                        [](const RuleLayouts& layouts) { return layouts.results[0]; })) {
      for (const auto& [to, wanted] : ends) {
        cases.push_back(base);
        cases.back().shardings = {{n, said}, {reader, wanted}};
      }
    }
    return;
  }
  const ValueInfo& value = graph.values[static_cast<size_t>(id)];
  for (const Layout& from : every_layout(value.shape.size(), before)) {
    for (const auto& [to, wanted] : ends) {
      cases.push_back(base);
      cases.back().layouts = {{value.name, to_string(from)}};
      cases.back().shardings = {{reader, wanted}};
    }
  }
}

/// Where an axis goes in every node.
enum class Habit { kFirst, kSecond, kLast, kResult, kNowhere };

std::optional<FactorId> factor_by(Habit habit, const ShardingRule& rule) {
  const ShardingRule::Dims& x = rule.operands[0];
  const ShardingRule::Dims& y = rule.results[0];
  const auto major = [](const std::vector<FactorId>& dim) -> std::optional<FactorId> {
    if (dim.empty()) return std::nullopt;
    return dim[0];
  };
  if (x.empty() || y.empty() || habit == Habit::kNowhere) return std::nullopt;
  if (habit == Habit::kFirst) return major(x[0]);
  if (habit == Habit::kSecond) return major(x[std::min<size_t>(1, x.size() - 1)]);
  return major(habit == Habit::kLast ? x.back() : y.back());
}

PlacementCase uniform_case(const std::string& net, const std::string& mesh_text,
                           const std::vector<Habit>& habits) {
  PlacementCase made{.net = net, .rows = rows_for(net), .mesh = mesh_text};
  const Graph graph = make_net(net, made.rows);
  const MeshPtr mesh = parse_mesh(mesh_text);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const ShardingRule rule = rule_of_node(graph, n);
    FactorAxes axes(rule.factors.size());
    for (size_t axis = 0; axis < habits.size(); ++axis) {
      const auto factor = factor_by(habits[axis], rule);
      if (!factor) continue;
      std::vector<AxisId>& list = axes[static_cast<size_t>(*factor)];
      list.push_back(static_cast<AxisId>(axis));
      if (!why_not(rule, *mesh, axes).empty()) list.pop_back();
    }
    made.shardings.emplace(n, sharding_text(layouts_of(rule, mesh, axes).operands, false));
  }
  return made;
}

}  // namespace

const std::vector<std::string>& meshes() {
  static const std::vector<std::string> kMeshes = {
      "{a=2}",     "{a=3}",     "{a=2,b=2}", "{a=4}", "{a=2,b=3}",
      "{a=3,b=2}", "{a=2,b=4}", "{a=6}",     "{a=8}", "{a=2,b=2,c=2}"};
  return kMeshes;
}

std::vector<PlacementCase> sharding_cases() {
  std::vector<PlacementCase> cases;
  for (const std::string& net : net_names()) {
    const PlacementCase base{.net = net, .rows = rows_for(net)};
    const Graph graph = make_net(net, base.rows);
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      for (const std::string& mesh : meshes()) {
        for (const RuleLayouts& layouts :
             every_sharding(rule_of_node(graph, n), parse_mesh(mesh))) {
          cases.push_back(base);
          cases.back().mesh = mesh;
          cases.back().shardings = {{n, sharding_text(layouts.operands, false)}};
        }
      }
    }
  }
  return cases;
}

std::vector<PlacementCase> edge_cases() {
  std::vector<PlacementCase> cases;
  for (const std::string& net : net_names()) {
    for (const std::string mesh : {"{a=2}", "{a=3}", "{a=2,b=2}", "{a=3,b=2}", "{a=8}"}) {
      const PlacementCase base{.net = net, .rows = rows_for(net), .mesh = mesh};
      const Graph graph = make_net(net, base.rows);
      for (size_t n = 0; n < graph.nodes.size(); ++n)
        for (size_t i = 0; i < graph.nodes[n].operands.size(); ++i)
          add_edge(base, n, i, {mesh, mesh}, cases);
    }
  }
  const std::vector<std::vector<std::string>> alike = {
      {"{a=4}", "{a=2,b=2}"},
      {"{a=6}", "{a=2,b=3}", "{b=3,a=2}", "{a=6 @ 3,1,4,0,5,2}"},
      {"{a=8}", "{a=2,b=4}", "{a=4,b=2}", "{a=2,b=2,c=2}"}};
  for (const std::string net : {"neg_neg", "product_product"}) {
    for (const auto& group : alike) {
      for (const std::string& before : group)
        for (const std::string& after : group)
          add_edge({.net = net, .rows = 5, .mesh = group[0]}, 1, 0, {before, after}, cases);
    }
  }
  return cases;
}

std::vector<PlacementCase> uniform_cases() {
  constexpr Habit kHabits[] = {Habit::kFirst, Habit::kSecond, Habit::kLast, Habit::kResult,
                               Habit::kNowhere};
  std::vector<PlacementCase> cases;
  for (const std::string& net : net_names()) {
    for (const std::string& mesh : meshes()) {
      const size_t axes = parse_mesh(mesh)->axes.size();
      size_t count = 1;
      for (size_t axis = 0; axis < axes; ++axis) count *= std::size(kHabits);
      for (size_t number = 0; number < count; ++number) {
        std::vector<Habit> habits;
        for (size_t left = number; habits.size() < axes; left /= std::size(kHabits))
          habits.push_back(kHabits[left % std::size(kHabits)]);
        cases.push_back(uniform_case(net, mesh, habits));
      }
    }
  }
  return cases;
}

}  // namespace tessera::testing
