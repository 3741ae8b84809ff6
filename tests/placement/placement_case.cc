#include "tests/placement/placement_case.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/placement/nets.h"
#include "tests/support/difference.h"

namespace tessera::testing {
namespace {

constexpr double kTolerance = 1e-5;

Graph graph_of(const PlacementCase& made) {
  Graph graph = make_net(made.net, made.rows);
  for (const auto& [node, sharding] : made.shardings) graph.nodes.at(node).sharding = sharding;
  return graph;
}

std::string bit_difference(const Tensor& wanted, const Tensor& found) {
  if (wanted.shape() != found.shape())
    return fmt::format("wanted {}, found {}", describe(wanted), describe(found));
  const auto a = wanted.bytes();
  const auto b = found.bytes();
  const auto first = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  if (first == a.end()) return {};
  return fmt::format("element {} of {}: other bits than one rank's; {}", (first - a.begin()) / 4,
                     describe(wanted), difference(wanted, found, 0));
}

}  // namespace

std::string to_string(const PlacementCase& made) {
  std::string text = fmt::format("{} rows={} mesh={}{}{}", made.net, made.rows, made.mesh,
                                 made.deterministic ? " deterministic" : "",
                                 made.real_kernels ? " real kernels" : "");
  text += fmt::format(" threads={}\n", made.threads);
  for (const auto& stage : made.stages) text += fmt::format("  stage {}\n", fmt::join(stage, " "));
  for (const auto& [name, layout] : made.layouts)
    text += fmt::format("  layout {}: {}\n", name, layout);
  const Graph graph = make_net(made.net, made.rows);
  for (const auto& [node, sharding] : made.shardings)
    text += fmt::format("  node {} {}: {}\n", node, graph.nodes[node].op->name, sharding);
  return text;
}

PlaceOptions options_of(const PlacementCase& made) {
  PlaceOptions options{.mesh = parse_mesh(made.mesh)};
  options.layout_of = [layouts = made.layouts](const ValueInfo& value) -> std::optional<Layout> {
    const auto found = layouts.find(value.name);
    if (found == layouts.end()) return std::nullopt;
    return parse_layout(found->second);
  };
  options.deterministic = made.deterministic;
  options.stages = made.stages;
  return options;
}

const PlacementCheck::Wanted& PlacementCheck::wanted(const PlacementCase& made) {
  Wanted& known = known_[{made.net, made.rows}];
  if (known.outputs.empty()) {
    const Graph graph = make_net(made.net, made.rows);
    known.values = random_values(graph);
    known.outputs = run_alone(graph, known.values);
  }
  if (made.deterministic && known.bits.empty()) {
    const PlaceOptions alone{.mesh = parse_mesh("{all=1}"), .deterministic = true};
    known.bits = run_placed(place(make_net(made.net, made.rows), alone), known.values,
                            {.reference_only = false, .deterministic = true});
  }
  return known;
}

std::string PlacementCheck::run(const PlacementCase& made) {
  const Wanted& want = wanted(made);
  const Placed placed = place(graph_of(made), options_of(made));
  try {
    // The deterministic program of one rank has real kernels, and so have all.
    const std::vector<Tensor> found =
        run_placed(placed, want.values,
                   {.reference_only = !made.real_kernels && !made.deterministic,
                    .deterministic = made.deterministic,
                    .threads = made.threads});
    for (size_t i = 0; i < found.size(); ++i) {
      std::string wrong = difference(want.outputs[i], found[i], kTolerance);
      if (wrong.empty() && made.deterministic) wrong = bit_difference(want.bits[i], found[i]);
      if (!wrong.empty()) return wrong + "\n" + to_string(placed);
    }
  } catch (const std::exception& error) {
    return std::string(error.what()) + "\n" + to_string(placed);
  }
  return {};
}

std::string PlacementCheck::operator()(const PlacementCase& made) {
  std::string wrong;
  try {
    wrong = run(made);
  } catch (const std::exception& error) {
    wrong = error.what();
  }
  return wrong.empty() ? wrong : to_string(made) + wrong;
}

std::string PlacementCheck::shrunk(PlacementCase made) {
  const auto keep_if_wrong = [&](const PlacementCase& smaller) {
    if ((*this)(smaller).empty()) return false;
    made = smaller;
    return true;
  };
  const auto without = [&](auto member) {
    const auto all = made.*member;
    for (const auto& [key, text] : all) {
      PlacementCase smaller = made;
      (smaller.*member).erase(key);
      keep_if_wrong(smaller);
    }
  };
  without(&PlacementCase::shardings);
  without(&PlacementCase::layouts);
  for (const auto option : {&PlacementCase::real_kernels, &PlacementCase::deterministic}) {
    PlacementCase smaller = made;
    smaller.*option = false;
    keep_if_wrong(smaller);
  }
  return (*this)(made);
}

}  // namespace tessera::testing
