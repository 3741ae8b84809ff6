#include "tessera/model/spread.h"

#include <algorithm>
#include <set>

#include "tessera/base/text.h"
#include "tessera/model/rank_memory.h"
#include "tessera/passes/drop_dead.h"
#include "tessera/passes/fold_batch_norm.h"
#include "tessera/passes/fold_constants.h"
#include "tessera/passes/fuse.h"
#include "tessera/passes/lower.h"
#include "tessera/passes/search.h"
#include "tessera/passes/split_ends.h"

namespace tessera {
namespace {

PlaceOptions with_mesh(PlaceOptions place, int ranks, bool is_searched) {
  const auto stages = std::max(1, static_cast<int>(place.stages.size()));
  const int of_a_stage = std::max(1, ranks / stages);
  if (place.mesh == nullptr)
    place.mesh = is_searched ? search_mesh(of_a_stage) : make_mesh({{"dp", of_a_stage}});
  const int64_t wanted = int64_t{place.mesh->rank_count()} * stages;
  require(wanted == ranks, "mesh {}{} has {} ranks, but {} run", to_string(*place.mesh),
          stages > 1 ? fmt::format(" in {} stages", stages) : "", wanted, ranks);
  return place;
}

constexpr int64_t kNominalRows = 32;

int64_t nominal_rows(const RunOptions& options) {
  return options.search ? options.search->rows : kNominalRows;
}

int64_t peak_of(const Placed& placed, const RunOptions& options) {
  int64_t peak = 0;
  for (const RankMemory& rank : predict_memory(placed, options)) peak = std::max(peak, rank.peak());
  return peak;
}

/// The cheapest placement that fits. Kernels need more memory than a search knows of: what it says
/// is scaled by what the last placement that was looked at needed, and only what may fit is looked
/// at.
Placed place_by_search(const Graph& graph, const RunOptions& options) {
  const std::vector<Found> found = search(graph, options.place, options.search->counts_outputs);
  const int64_t limit = options.search->memory_limit;
  require(limit >= 0, "the limit of memory per rank is {} bytes; wanted 0 or more", limit);
  double scale = 1;
  int64_t least = 0;
  for (const Found& one : found) {
    const bool is_last = &one == &found.back();
    const auto expected = static_cast<int64_t>(scale * static_cast<double>(one.memory));
    if (limit > 0 && expected > limit + limit / 8 && !is_last) continue;
    Graph sharded = graph;
    apply(sharded, one, options.place.mesh);
    if (options.search->as_pieces) use_pieces(sharded, options.place.mesh);
    Placed placed = place(sharded, options.place);
    if (limit == 0) return placed;
    const int64_t peak = peak_of(placed, options);
    if (peak <= limit) return placed;
    least = least == 0 ? peak : std::min(least, peak);
    scale = static_cast<double>(peak) / static_cast<double>(std::max<int64_t>(1, one.memory));
  }
  fail(ErrorCode::kInvalidArgument,
       "no placement on the {} ranks of {} fits {} per rank: the smallest of {} found needs {} for "
       "batches of {} rows; more ranks, smaller batches or a higher limit would do",
       options.place.mesh->rank_count(), to_string(*options.place.mesh),
       human_bytes(static_cast<uint64_t>(limit)), found.size(),
       human_bytes(static_cast<uint64_t>(least)), options.search->rows);
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

Placed place_network(const Graph& network, const RunOptions& options) {
  Graph graph = ready_to_place(network, options);
  return options.search ? place_by_search(graph, options) : place(graph, options.place);
}

Graph local_graph(const Placed& placed, Rank rank) {
  Graph graph = drop_dead(fuse(lower(placed, rank)));
  verify(graph);
  return graph;
}

Spread::Spread(const ModelSpec& spec, const Shape& row_shape, const RunOptions& options)
    : Spread(spec, row_shape, options, options.world->size()) {
  require_agreement(*options_.world, "graph", to_string(placed(nominal_rows(options_))));
}

Spread::Spread(const ModelSpec& spec, const Shape& row_shape, const RunOptions& options, int ranks)
    : spec_(spec), row_shape_(row_shape), options_(options), rank_count_(ranks) {
  options_.place = with_mesh(options.place, ranks, options.search.has_value());
  options_.place.deterministic |= options.deterministic;
  const int64_t rows = nominal_rows(options_);
  Placed placed = place_network(trace(spec_, rows, row_shape_), options_);
  if (options_.search)
    for (const Node& node : placed.graph.nodes) shardings_.push_back(node.sharding);
  for (const ValueId id : placed.graph.parameters)
    layouts_.emplace(placed.graph.values[static_cast<size_t>(id)].name, placed.layout(id));
  placed_.emplace(rows, std::move(placed));
  // Other batches find the parameters where this one has put them.
  options_.place.layout_of =
      [this, asked = options.place.layout_of](const ValueInfo& value) -> std::optional<Layout> {
    if (const Layout* known = layout(value.name)) return *known;
    return asked == nullptr ? std::nullopt : asked(value);
  };
}

Placed Spread::place_rows(int64_t rows) const {
  Graph graph = ready_to_place(trace(spec_, rows, row_shape_), options_);
  if (options_.search) apply(graph, Found{.shardings = shardings_}, options_.place.mesh);
  return place(graph, options_.place);
}

namespace {

/// The layout whose dim 0 is cut by the axes, too, along which all ranks hold the same, as far as
/// its parts stay equal.
Layout sharded_further(Layout layout, const Shape& shape) {
  if (shape.empty()) return layout;
  std::vector<bool> used(layout.mesh->axes.size(), false);
  for (const auto& dim : layout.dims)
    for (const AxisId axis : dim) used[static_cast<size_t>(axis)] = true;
  for (size_t axis = 0; axis < used.size(); ++axis) {
    const int64_t parts = int64_t{part_count(layout, 0)} * layout.mesh->axes[axis].size;
    if (!used[axis] && shape[0] % parts == 0) layout.dims[0].push_back(static_cast<AxisId>(axis));
  }
  return layout;
}

}  // namespace

Placed Spread::place_training(const TrainGraph& step, bool shards_optimizer) const {
  std::map<std::string_view, std::string_view> like;  // by name that of which it has the layout
  for (const MicroInput& input : step.inputs) like.emplace(input.name, input.of);
  std::set<std::string_view> kept;
  for (const KeptTensor& tensor : step.kept) {
    kept.insert(tensor.name);
    like.emplace(tensor.name, tensor.parameter);
  }
  PlaceOptions options = options_.place;
  options.network = step.network;
  options.node_stages = step.stages;
  options.ticks = step.ticks;
  options.layout_of = [&](const ValueInfo& value) -> std::optional<Layout> {
    ValueInfo asked = value;
    if (const auto other = like.find(value.name); other != like.end()) asked.name = other->second;
    std::optional<Layout> known = options_.place.layout_of(asked);
    if (known && shards_optimizer && kept.contains(value.name))
      known = sharded_further(std::move(*known), value.shape);
    return known;
  };
  return place(step.graph, options);
}

const Placed& Spread::placed(int64_t rows) const {
  const auto known = placed_.find(rows);
  if (known != placed_.end()) return known->second;
  return placed_.emplace(rows, place_rows(rows)).first->second;
}

Graph Spread::graph(int64_t rows, Rank rank) const {
  return local_graph(placed(rows), rank);
}

const Layout* Spread::layout(std::string_view parameter) const {
  const auto found = layouts_.find(parameter);
  return found == layouts_.end() ? nullptr : &found->second;
}

}  // namespace tessera
