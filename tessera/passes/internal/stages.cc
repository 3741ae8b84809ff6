#include "tessera/passes/internal/stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tessera/base/text.h"

namespace tessera {
namespace internal {
namespace {

/// The mesh with every rank `offset` higher.
MeshPtr shifted(const MeshPtr& mesh, Rank offset) {
  if (offset == 0) return mesh;
  std::vector<Rank> ranks = mesh->all_ranks();
  for (Rank& rank : ranks) rank += offset;
  return make_mesh(mesh->axes, std::move(ranks));
}

using Patterns = std::vector<std::vector<std::string>>;

/// The stage whose patterns match a scope, or nothing; what is in no layer has no name to match.
std::optional<int> stage_of(const Patterns& stages, std::string_view scope,
                            std::vector<std::vector<bool>>& used) {
  if (scope.empty()) return std::nullopt;
  for (size_t s = 0; s < stages.size(); ++s) {
    for (size_t p = 0; p < stages[s].size(); ++p) {
      if (!matches(stages[s][p], scope)) continue;
      used[s][p] = true;
      return static_cast<int>(s);
    }
  }
  return std::nullopt;
}

}  // namespace

bool same_ranks(const Mesh& a, const Mesh& b) {
  return a.rank_count() == b.rank_count() &&
         ((a.ranks.empty() && b.ranks.empty()) || a.sorted_ranks() == b.sorted_ranks());
}

Stages::Stages(const Graph& graph, const PlaceOptions& options)
    : node_stage_(options.node_stages), reader_stage_(graph.values.size(), 0) {
  require(options.mesh != nullptr, "a mesh is needed to place a graph");
  const int ranks = options.mesh->rank_count();
  const size_t count = std::max<size_t>(1, options.stages.size());
  for (size_t s = 0; s < count; ++s)
    meshes_.push_back(shifted(options.mesh, static_cast<Rank>(s) * ranks));
  everyone_ = count == 1 ? options.mesh : make_mesh({{"all", ranks * static_cast<int>(count)}});
  if (node_stage_.empty()) node_stage_ = stages_of_nodes(graph, options.stages);
  std::vector<bool> read(graph.values.size(), false);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId id : graph.nodes[n].operands) {
      if (!read[static_cast<size_t>(id)]) reader_stage_[static_cast<size_t>(id)] = node_stage_[n];
      read[static_cast<size_t>(id)] = true;
    }
  }
}

Layout Stages::moved(Layout layout, const MeshPtr& mesh) const {
  if (same_ranks(*layout.mesh, *mesh)) return layout;
  const bool is_of_a_stage = std::any_of(meshes_.begin(), meshes_.end(), [&](const MeshPtr& one) {
    return same_ranks(*layout.mesh, *one);
  });
  require(is_of_a_stage, "{} has other ranks than {}", to_string(*layout.mesh),
          to_string(*first()));
  const Rank offset = mesh->sorted_ranks().front() - layout.mesh->sorted_ranks().front();
  std::vector<Rank> ranks = layout.mesh->all_ranks();
  for (Rank& rank : ranks) rank += offset;
  layout.mesh = make_mesh(layout.mesh->axes, std::move(ranks));
  return layout;
}

}  // namespace internal

std::vector<int> stages_of_nodes(const Graph& graph, const internal::Patterns& stages) {
  std::vector<std::vector<bool>> used;
  for (const auto& patterns : stages) used.emplace_back(patterns.size(), false);
  std::vector<int> of_nodes;
  std::vector<int> of_values(graph.values.size(), 0);
  std::vector<std::string_view> makers(graph.values.size());  // the layers
  for (const Node& node : graph.nodes) {
    int least = 0;
    std::string_view maker;
    for (const ValueId id : node.operands) {
      if (of_values[static_cast<size_t>(id)] <= least) continue;
      least = of_values[static_cast<size_t>(id)];
      maker = makers[static_cast<size_t>(id)];
    }
    const int stage = internal::stage_of(stages, node.scope, used).value_or(least);
    require(stage >= least,
            "'{}' of stage {} reads what '{}' of stage {} computes; a pattern of stage {} or one "
            "before it should name '{}' too",
            node.scope, stage, maker, least, stage, maker);
    of_nodes.push_back(stage);
    for (const ValueId id : node.results) {
      of_values[static_cast<size_t>(id)] = stage;
      makers[static_cast<size_t>(id)] = node.scope.empty() ? maker : node.scope;
    }
  }
  for (size_t s = 0; s < used.size(); ++s)
    for (size_t p = 0; p < used[s].size(); ++p)
      require(used[s][p], "the pattern '{}' of stage {} matches no scope of the graph",
              printable(stages[s][p]), s);
  return of_nodes;
}

}  // namespace tessera
