// Every model of the zoo is placed and lowered on two ranks; the small ones run so.
#include <gtest/gtest.h>

#include "tessera/passes/lower.h"
#include "tessera/passes/split_ends.h"
#include "tessera/zoo/zoo.h"
#include "tests/placement/run_placed.h"
#include "tests/support/difference.h"
#include "tests/support/made_weights.h"

namespace tessera::testing {
namespace {

/// Where parameters lie: as their readers want them, or cut along dim 0 (output channels).
enum class Cut : uint8_t { kNothing, kWeights };

Placed placed_on(const Graph& graph, std::string_view mesh, Cut cut) {
  PlaceOptions options{.mesh = parse_mesh(mesh)};
  if (cut == Cut::kWeights) {
    const MeshPtr over = options.mesh;
    options.layout_of = [over](const ValueInfo& value) -> std::optional<Layout> {
      if (!value.name.ends_with("weight") || value.shape.size() < 2) return std::nullopt;
      return parse_layout(value.shape.size() == 2 ? "[tp,-]" : "[tp,-,-,-]", over);
    };
  }
  return place(graph, options);
}

class PlacedZoo : public ::testing::TestWithParam<std::string> {};

TEST_P(PlacedZoo, LowersOnTwoRanks) {
  const ModelSpec spec = parse_model(GetParam());
  const Graph graph = split_ends(trace(spec, 2, spec.model->row_shape(spec.options)));
  for (const auto& [mesh, cut] :
       {std::pair("{dp=2}", Cut::kNothing), std::pair("{tp=2}", Cut::kNothing),
        std::pair("{tp=2}", Cut::kWeights)}) {
    const Placed placed = placed_on(graph, mesh, cut);
    EXPECT_FALSE(explain(placed).empty());
    for (const Rank rank : {0, 1}) verify(lower(placed, rank));
  }
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const ModelDef& model : all_models()) names.emplace_back(model.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Zoo, PlacedZoo, ::testing::ValuesIn(model_names()),
                         [](const auto& test) { return test.param; });

TEST(PlacedZooRuns, GroupsBranchesAndShortcutsGiveTheOutputsOfOneDevice) {
  for (const char* model :
       {"mobilenet_v2(num_classes=7)", "googlenet(num_classes=7)", "resnet20",
        "se_resnet50(num_classes=7)", "resnext50(num_classes=7,split_groups=true)"}) {
    const Graph graph = split_ends(trace(parse_model(model), 3, {3, 32, 32}));
    Values values{{"x", made_input({3, 3, 32, 32})}};
    for (const ValueId id : graph.parameters) {
      const ValueInfo& value = graph.values[static_cast<size_t>(id)];
      values.emplace(value.name, made_parameter(value.name, value.shape, 6));
    }
    const RankOptions fast{.reference_only = false};
    const std::vector<Tensor> wanted = run_alone(graph, values, fast);
    for (const auto& [mesh, cut] :
         {std::pair("{dp=2}", Cut::kNothing), std::pair("{tp=2}", Cut::kWeights)}) {
      const std::vector<Tensor> found = run_placed(placed_on(graph, mesh, cut), values, fast);
      ASSERT_EQ(found.size(), 1U);
      EXPECT_EQ(difference(wanted[0], found[0], 1e-4), "") << model << " on " << mesh;
    }
  }
}

}  // namespace
}  // namespace tessera::testing
