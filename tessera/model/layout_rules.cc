#include "tessera/model/layout_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/text.h"

namespace tessera {
namespace {

/// Of the first layout that cuts something, or of any.
MeshPtr mesh_of(const Strategy& strategy) {
  MeshPtr mesh;
  for (const ParameterLayout& parameter : strategy.parameters)
    if (mesh == nullptr || mesh->rank_count() == 1) mesh = parameter.layout.mesh;
  return mesh;
}

}  // namespace

PlaceOptions place_by(const Strategy& strategy, int ranks, MeshPtr mesh) {
  PlaceOptions options;
  options.mesh = mesh != nullptr ? std::move(mesh) : mesh_of(strategy);
  require(options.mesh != nullptr, "the layouts name no tensor and no mesh");
  const int per_stage = ranks / std::max(1, strategy.stage_count);
  if (options.mesh->rank_count() == 1 && per_stage > 1)
    options.mesh = make_mesh({{"dp", per_stage}});
  require(options.mesh->rank_count() * strategy.stage_count == ranks,
          "the layouts are for {} ranks ({}{}), but {} run",
          options.mesh->rank_count() * strategy.stage_count, to_string(*options.mesh),
          strategy.stage_count > 1 ? fmt::format(" in {} stages", strategy.stage_count) : "",
          ranks);
  options.layout_of = [strategy,
                       shared = options.mesh](const ValueInfo& value) -> std::optional<Layout> {
    for (int stage = 0; stage < strategy.stage_count; ++stage) {
      const ParameterLayout* found = strategy.find(value.name, stage);
      if (found == nullptr) continue;
      const ErrorContext context([&] { return fmt::format("the layout of '{}'", value.name); });
      Layout layout = full_layout(*found, value.shape.size());
      validate(layout, value.shape.size());
      if (layout.mesh->rank_count() == 1) return replicated(shared, value.shape.size());
      require(layout.mesh->rank_count() == shared->rank_count(),
              "{} has {} ranks, the job's mesh {} has {}", to_string(*layout.mesh),
              layout.mesh->rank_count(), to_string(*shared), shared->rank_count());
      return layout;
    }
    return std::nullopt;
  };
  return options;
}

void check_rules(const Strategy& strategy, const Graph& graph) {
  std::vector<std::string> names;
  for (const auto* ids : {&graph.inputs, &graph.parameters})
    for (const ValueId id : *ids) names.push_back(graph.values[static_cast<size_t>(id)].name);
  for (const ParameterLayout& parameter : strategy.parameters) {
    const bool found = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return parameter.is_pattern ? matches(parameter.name, name) : parameter.name == name;
    });
    if (!found)
      fail(ErrorCode::kNotFound,
           "the layouts name '{}', which the network has not{}: are they of another network?",
           printable(parameter.name), suggest(parameter.name, names));
  }
}

}  // namespace tessera
