#include "tessera/passes/internal/given.h"

#include <fmt/format.h>

#include <algorithm>

namespace tessera::internal {
namespace {

/// An input in the pieces that the options give it.
Layout layout_of_pieces(const Graph& graph, ValueId id, const PlaceOptions& options,
                        const MeshPtr& mesh) {
  const auto& inputs = graph.inputs;
  const auto& given = options.input_pieces;
  require(given.size() == 1 || given.size() == inputs.size(),
          "there are {} tuples of pieces for {} inputs; wanted one each, or one for all",
          given.size(), inputs.size());
  const auto place =
      static_cast<size_t>(std::find(inputs.begin(), inputs.end(), id) - inputs.begin());
  const std::vector<int>& pieces = given.size() == 1 ? given[0] : given[place];
  const ValueInfo& value = graph.values[static_cast<size_t>(id)];
  const size_t ndim = value.shape.size();
  require(pieces.size() <= ndim || given.size() == 1, "input '{}' {} is given pieces for {} dims",
          value.name, to_string(value.shape), pieces.size());
  std::vector<MeshAxis> axes;
  Layout layout{nullptr, std::vector<std::vector<AxisId>>(ndim), {}};
  int left = mesh->rank_count();
  for (size_t d = 0; d < std::min(ndim, pieces.size()); ++d) {
    if (pieces[d] == 1) continue;
    require(pieces[d] > 0 && left % pieces[d] == 0,
            "the pieces ({}) of input '{}' do not divide the {} ranks", fmt::join(pieces, ","),
            value.name, mesh->rank_count());
    left /= pieces[d];
    layout.dims[d] = {static_cast<AxisId>(axes.size())};
    axes.push_back({fmt::format("d{}", axes.size()), pieces[d]});
  }
  if (left > 1 || axes.empty()) axes.push_back({fmt::format("d{}", axes.size()), left});
  layout.mesh = make_mesh(std::move(axes), mesh->all_ranks());
  return layout;
}

}  // namespace

std::optional<Layout> asked_for(const ValueInfo& value, const PlaceOptions& options) {
  if (options.layout_of == nullptr) return std::nullopt;
  std::optional<Layout> layout = options.layout_of(value);
  if (!layout) return std::nullopt;
  const ErrorContext context(
      [&] { return fmt::format("placing '{}' {}", value.name, to_string(value.shape)); });
  validate(*layout, value.shape.size());
  require(layout->partial.empty(), "{} asks for partial values", to_string(*layout));
  return layout;
}

Layout layout_of_input(const Graph& graph, ValueId id, const PlaceOptions& options,
                       const Stages& stages) {
  const ValueInfo& value = graph.values[static_cast<size_t>(id)];
  const MeshPtr& mesh = stages.of_reader(id);
  if (const auto layout = asked_for(value, options)) return stages.moved(*layout, mesh);
  if (!options.input_pieces.empty()) return layout_of_pieces(graph, id, options, mesh);
  Layout layout = replicated(mesh, value.shape.size());
  const std::optional<AxisId> dp = mesh->find("dp");
  if (options.mode == PlaceMode::kFollow && dp && !layout.dims.empty()) layout.dims[0] = {*dp};
  return layout;
}

std::optional<Layout> layout_of_parameter(const Graph& graph, ValueId id,
                                          const PlaceOptions& options, const Stages& stages) {
  const auto layout = asked_for(graph.values[static_cast<size_t>(id)], options);
  if (!layout) return std::nullopt;
  if (!options.node_stages.empty()) return layout;
  return stages.moved(*layout, stages.of_reader(id));
}

}  // namespace tessera::internal
