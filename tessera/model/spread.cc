#include "tessera/model/spread.h"

#include <algorithm>
#include <set>
#include <utility>

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
template <typename PlaceOne>
Placed first_that_fits(const std::vector<Found>& found, const RunOptions& options,
                       PlaceOne place_one) {
  const int64_t limit = options.search->memory_limit;
  require(limit >= 0, "the limit of memory per rank is {} bytes; wanted 0 or more", limit);
  double scale = 1;
  int64_t least = 0;
  for (const Found& one : found) {
    const bool is_last = &one == &found.back();
    const auto expected = static_cast<int64_t>(scale * static_cast<double>(one.memory));
    if (limit > 0 && expected > limit + limit / 8 && !is_last) continue;
    Placed placed = place_one(one);
    if (limit == 0) return placed;
    const int64_t peak = peak_of(placed, options);
    if (peak <= limit) return placed;
    least = least == 0 ? peak : std::min(least, peak);
    scale = static_cast<double>(peak) / static_cast<double>(std::max<int64_t>(1, one.memory));
  }
  fail(ErrorCode::kInvalidArgument,
       "no placement on the {} ranks of {} fits {} per rank: the smallest of {} found needs {} for "
       "{} of {} rows; more ranks, smaller batches or a higher limit would do",
       options.place.mesh->rank_count(), to_string(*options.place.mesh),
       human_bytes(static_cast<uint64_t>(limit)), found.size(),
       human_bytes(static_cast<uint64_t>(least)),
       options.search->training == nullptr ? "batches" : "training steps", options.search->rows);
}

/// The graph with its first nodes sharded as the search found.
Graph sharded_as(Graph graph, const Found& found, const RunOptions& options) {
  apply(graph, found, options.place.mesh);
  if (options.search->as_pieces) use_pieces(graph, options.place.mesh);
  return graph;
}

Placed place_by_search(const Graph& graph, const RunOptions& options) {
  const auto found = search(graph, options.place, options.search->counts_outputs);
  return first_that_fits(found, options, [&](const Found& one) {
    return place(sharded_as(graph, one, options), options.place);
  });
}

/// The nodes of a step up to its loss.
size_t forward_nodes(const Graph& step) {
  for (size_t n = 0; n < step.nodes.size(); ++n)
    for (const ValueId id : step.nodes[n].results)
      if (id == step.outputs.at(0)) return n + 1;
  fail(ErrorCode::kInternal, "no node of the training step computes its loss");
}

}  // namespace

Graph ready_to_place(const Graph& network, const RunOptions& options) {
  Graph graph = fold_constants(network);
  // Strategies name batch_norm's parameters.
  const bool by_name =
      options.place.mode == PlaceMode::kMindSpore || options.shard_operators != nullptr;
  if (!by_name) graph = fold_batch_norm(std::move(graph));
  graph = split_ends(graph);
  if (options.shard_operators != nullptr) options.shard_operators(graph);
  return graph;
}

Placed place_network(const Graph& network, const RunOptions& options) {
  Graph graph = ready_to_place(network, options);
  return options.search ? place_by_search(graph, options) : place(graph, options.place);
}

Graph training_network(const ModelSpec& spec, int64_t rows, const Shape& row_shape,
                       const TrainingOptions& training, const RunOptions& options) {
  const Graph graph = fold_constants(trace(spec, rows, row_shape));
  Graph made = split_ends(to_training(graph, training));
  if (options.shard_operators != nullptr) options.shard_operators(made);
  return made;
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
  const bool is_training = options_.search && options_.search->training != nullptr;
  if (is_training)
    search_step(rows);
  else
    place_first(rows);
  // Other batches find the parameters where this one has put them.
  options_.place.layout_of =
      [this, asked = options.place.layout_of](const ValueInfo& value) -> std::optional<Layout> {
    const auto read_as = read_as_.find(value.name);
    if (read_as != read_as_.end()) return read_as->second;
    if (const Layout* known = layout(value.name)) return *known;
    return asked == nullptr ? std::nullopt : asked(value);
  };
  placed(rows);  // also of a step: what cannot be placed is said now
}

void Spread::place_first(int64_t rows) {
  Placed placed = place_network(trace(spec_, rows, row_shape_), options_);
  note_parameters(placed);
  if (options_.search)
    for (const Node& node : placed.graph.nodes) shardings_.push_back(node.sharding);
  placed_.emplace(rows, std::move(placed));
}

void Spread::note_parameters(const Placed& placed) {
  for (const ValueId id : placed.graph.parameters) {
    const std::string& name = placed.graph.values[static_cast<size_t>(id)].name;
    layouts_.emplace(name, placed.layout(id));
    const auto uncut = placed.uncut.find(id);
    if (uncut != placed.uncut.end()) read_as_.emplace(name, uncut->second.layout);
  }
}

void Spread::search_step(int64_t rows) {
  Graph network = training_network(spec_, rows, row_shape_, {}, options_);
  require(options_.place.stages.size() <= 1,
          "a placement of training steps is not looked for in pipeline stages: leave the stages "
          "out, or give the mesh and the layouts");
  TrainRecipe recipe = *options_.search->training;
  recipe.accumulate = recipe.micro_batches = 1;
  recipe.recompute.clear();  // placed, what is computed again lies as it did the first time
  const TrainGraph step = make_train_graph(std::move(network), recipe);
  StepToSearch wanted{.graph = &step.graph, .forward_nodes = forward_nodes(step.graph)};
  for (const std::string& name : step.trained) wanted.trained.push_back(*step.graph.find(name));
  wanted.states = static_cast<int>(step.kept.size() / step.trained.size());
  PlaceOptions place_options = options_.place;
  place_options.network = step.network;
  const Placed placed =
      first_that_fits(search(wanted, place_options), options_, [&](const Found& one) {
        return place(sharded_as(step.graph, one, options_), place_options);
      });
  for (size_t n = 0; n < wanted.forward_nodes; ++n) {
    const Node& node = placed.graph.nodes[n];
    const std::string& result = placed.graph.values[static_cast<size_t>(node.results[0])].name;
    if (!node.sharding.empty()) step_shardings_.emplace(result, node.sharding);
  }
  note_parameters(placed);
  for (const KeptTensor& kept : step.kept) {  // they lie as their parameters do
    layouts_.erase(kept.name);
    read_as_.erase(kept.name);
  }
}

Placed Spread::place_rows(int64_t rows) const {
  Graph graph = ready_to_place(trace(spec_, rows, row_shape_), options_);
  if (options_.search) apply(graph, Found{.shardings = shardings_}, options_.place.mesh);
  return place(graph, options_.place);
}

Placed Spread::place_training(const TrainGraph& step,
                              const std::optional<ParallelOptimizer>& shared) const {
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
    return options_.place.layout_of(asked);
  };
  options.cut_further = [&](const ValueInfo& value,
                            const Layout& layout) -> std::optional<FurtherCut> {
    if (!kept.contains(value.name)) {
      const auto& parameters = options_.place.cut_further;
      return parameters == nullptr ? std::nullopt : parameters(value, layout);
    }
    const bool is_sum = value.name.starts_with(kGradientSums);
    if (!shared || (is_sum && !shared->gradient_accumulation_shard)) return std::nullopt;
    return tessera::cut_further(*shared, value, layout);
  };
  return place(sharded_as_searched(step.graph), options);
}

Graph Spread::sharded_as_searched(Graph step) const {
  if (step_shardings_.empty()) return step;
  Found found;
  for (const Node& node : step.nodes) {
    const auto result = static_cast<size_t>(node.results[0]);
    const std::string& name = step.values[result].name;  // of a micro-batch "v3@1"
    const auto known = step_shardings_.find(name.substr(0, name.find('@')));
    found.shardings.push_back(known == step_shardings_.end() ? "" : known->second);
  }
  apply(step, found, options_.place.mesh);
  return step;
}

const Placed& Spread::placed(int64_t rows) const {
  const auto known = placed_.find(rows);
  if (known != placed_.end()) return known->second;
  return placed_.emplace(rows, place_rows(rows)).first->second;
}

int Spread::parts_of_batch() const {
  const Placed& known = placed(nominal_rows(options_));
  return part_count(known.layout(known.graph.inputs.at(0)), 0);
}

Graph Spread::graph(int64_t rows, Rank rank) const {
  return local_graph(placed(rows), rank);
}

const Layout* Spread::layout(std::string_view parameter) const {
  const auto found = layouts_.find(parameter);
  return found == layouts_.end() ? nullptr : &found->second;
}

}  // namespace tessera
