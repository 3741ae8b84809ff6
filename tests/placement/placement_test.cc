// Whole graphs on meshes of ranks compute what one device computes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "tessera/passes/lower.h"
#include "tessera/passes/shard.h"
#include "tests/placement/nets.h"
#include "tests/placement/run_placed.h"
#include "tests/support/difference.h"

namespace tessera::testing {
namespace {

constexpr double kTolerance = 1e-5;

PlaceOptions on(std::string_view mesh, std::map<std::string, std::string> layouts = {}) {
  PlaceOptions options{.mesh = parse_mesh(mesh)};
  const MeshPtr shared = options.mesh;
  options.layout_of = [shared, layouts](const ValueInfo& value) -> std::optional<Layout> {
    const auto found = layouts.find(value.name);
    if (found == layouts.end()) return std::nullopt;
    return parse_layout(found->second, shared);
  };
  return options;
}

void expect_equal(const Graph& graph, const PlaceOptions& options) {
  const Values values = random_values(graph);
  const std::vector<Tensor> wanted = run_alone(graph, values);
  const Placed placed = place(graph, options);
  const std::vector<Tensor> found = run_placed(placed, values);
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_EQ(difference(wanted[i], found[i], kTolerance), "") << to_string(placed);
}

TEST(Placement, DataParallelEqualsOneDeviceForEveryNetAndNumberOfRanks) {
  for (const std::string& net : net_names()) {
    for (const int ranks : {1, 2, 3, 4, 6, 8}) {
      SCOPED_TRACE(net + " on " + std::to_string(ranks));
      expect_equal(make_net(net, 5), on("{dp=" + std::to_string(ranks) + "}"));
    }
  }
}

TEST(Placement, AColumnAndARowProductTakeOneAllReduce) {
  const Graph graph = make_net("mlp", 4);
  const std::map<std::string, std::string> pair = {{"dense_relu_sequential.0.weight", "[tp, -]"},
                                                   {"dense_relu_sequential.2.weight", "[-, tp]"}};
  const Placed placed = place(graph, on("{tp=2}", pair));
  std::vector<StepKind> kinds;
  for (const Movement& movement : movements(placed)) kinds.push_back(movement.kind);
  EXPECT_EQ(kinds, std::vector<StepKind>{StepKind::kAllReduce}) << to_string(placed);
  expect_equal(graph, on("{tp=2}", pair));
  expect_equal(graph, on("{dp=2,tp=2}", pair));
  expect_equal(graph, on("{tp=3}", pair));
}

/// Each dim of each parameter and input whole, or cut by an axis that cuts no other dim of it.
PlaceOptions on_random_layouts(const Graph& graph, std::string_view mesh,
                               const std::vector<std::string>& axes, std::mt19937& random) {
  std::map<std::string, std::string> layouts;
  for (const auto* ids : {&graph.inputs, &graph.parameters}) {
    for (const ValueId id : *ids) {
      const ValueInfo& value = graph.values[static_cast<size_t>(id)];
      std::vector<std::string> free = axes;
      std::vector<std::string> dims;
      for (size_t d = 0; d < value.shape.size(); ++d) {
        const size_t pick = random() % (free.size() + 1);
        dims.push_back(pick < free.size() ? free[pick] : "-");
        if (pick < free.size()) free.erase(free.begin() + static_cast<std::ptrdiff_t>(pick));
      }
      layouts[value.name] = fmt::format("[{}]", fmt::join(dims, ", "));
    }
  }
  return on(mesh, layouts);
}

TEST(Placement, DeterministicResultsHaveTheSameBitsOnEveryMeshAndUnderRandomLayouts) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> meshes = {
      {"{dp=2}", {"dp"}}, {"{tp=3}", {"tp"}}, {"{dp=2,tp=2}", {"dp", "tp"}}, {"{tp=6}", {"tp"}}};
  const RankOptions exact{.reference_only = false, .deterministic = true};
  std::mt19937 random(7);
  int sums_that_partial_results_change = 0;
  for (const std::string& net : net_names()) {
    const Graph graph = make_net(net, 5);
    const Values values = random_values(graph);
    const Tensor wanted = run_alone(graph, values, exact)[0];
    for (const auto& [mesh, axes] : meshes) {
      for (int round = 0; round < 4; ++round) {
        PlaceOptions options = on_random_layouts(graph, mesh, axes, random);
        options.deterministic = true;
        for (const bool fuse : {true, false}) {
          RankOptions run = exact;
          run.fuse = fuse;
          const Placed placed = place(graph, options);
          const Tensor found = run_placed(placed, values, run)[0];
          ASSERT_EQ(difference(wanted, found, 0), "") << net << "\n" << to_string(placed);
          ASSERT_TRUE(
              std::equal(wanted.bytes().begin(), wanted.bytes().end(), found.bytes().begin()));
        }
        options.deterministic = false;
        const Tensor summed = run_placed(place(graph, options), values, exact)[0];
        sums_that_partial_results_change += difference(wanted, summed, 0).empty() ? 0 : 1;
      }
    }
  }
  EXPECT_GT(sums_that_partial_results_change, 0) << "the layouts try nothing";
}

}  // namespace
}  // namespace tessera::testing
