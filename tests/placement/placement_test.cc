// Whole graphs on meshes of ranks compute what one device computes.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tessera::testing
