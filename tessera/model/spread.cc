#include "tessera/model/spread.h"

#include "tessera/passes/drop_dead.h"
#include "tessera/passes/fold_batch_norm.h"
#include "tessera/passes/fold_constants.h"
#include "tessera/passes/fuse.h"
#include "tessera/passes/lower.h"
#include "tessera/passes/split_ends.h"

namespace tessera {
namespace {

PlaceOptions with_mesh(PlaceOptions place, int ranks) {
  const auto stages = std::max(1, static_cast<int>(place.stages.size()));
  if (place.mesh == nullptr) place.mesh = make_mesh({{"dp", std::max(1, ranks / stages)}});
  const int64_t wanted = int64_t{place.mesh->rank_count()} * stages;
  require(wanted == ranks, "mesh {}{} has {} ranks, but {} run", to_string(*place.mesh),
          stages > 1 ? fmt::format(" in {} stages", stages) : "", wanted, ranks);
  return place;
}

}  // namespace

Graph ready_to_place(const Graph& network, const RunOptions& options) {
  Graph graph = fold_constants(network);
  // Strategies name batch_norm's parameters.
  const bool by_name =
      options.place.mode == PlaceMode::kMindSpore || options.shard_operators != nullptr;
  if (!by_name) graph = fold_batch_norm(graph);
  graph = split_ends(graph);
  if (options.shard_operators != nullptr) options.shard_operators(graph);
  return graph;
}

Spread::Spread(const ModelSpec& spec, const Shape& row_shape, const RunOptions& options)
    : Spread(spec, row_shape, options, options.world->size()) {
  require_agreement(*options_.world, "graph", to_string(placed(kNominalRows)));
}

Spread::Spread(const ModelSpec& spec, const Shape& row_shape, const RunOptions& options, int ranks)
    : spec_(spec), row_shape_(row_shape), options_(options), rank_count_(ranks) {
  options_.place = with_mesh(options.place, ranks);
  options_.place.deterministic |= options.deterministic;
  Placed placed = place_rows(kNominalRows);
  for (const ValueId id : placed.graph.parameters)
    layouts_.emplace(placed.graph.values[static_cast<size_t>(id)].name, placed.layout(id));
  placed_.emplace(kNominalRows, std::move(placed));
  // Other batches find the parameters where this one has put them.
  options_.place.layout_of =
      [this, asked = options.place.layout_of](const ValueInfo& value) -> std::optional<Layout> {
    if (const Layout* known = layout(value.name)) return *known;
    return asked == nullptr ? std::nullopt : asked(value);
  };
}

Placed Spread::place_rows(int64_t rows) const {
  return place(ready_to_place(trace(spec_, rows, row_shape_), options_), options_.place);
}

const Placed& Spread::placed(int64_t rows) const {
  const auto known = placed_.find(rows);
  if (known != placed_.end()) return known->second;
  return placed_.emplace(rows, place_rows(rows)).first->second;
}

Graph Spread::graph(int64_t rows, Rank rank) const {
  Graph graph = drop_dead(fuse(lower(placed(rows), rank)));
  verify(graph);
  return graph;
}

const Layout* Spread::layout(std::string_view parameter) const {
  const auto found = layouts_.find(parameter);
  return found == layouts_.end() ? nullptr : &found->second;
}

}  // namespace tessera
