#include "tessera/passes/internal/stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

/// The mesh with every rank `offset` higher.
MeshPtr shifted(const MeshPtr& mesh, Rank offset) {
  if (offset == 0) return mesh;
  std::vector<Rank> ranks = mesh->all_ranks();
  for (Rank& rank : ranks) rank += offset;
  return make_mesh(mesh->axes, std::move(ranks));
}

/// The stage whose patterns match a scope, or nothing.
std::optional<size_t> stage_of(const PlaceOptions& options, std::string_view scope,
                               std::vector<std::vector<bool>>& used) {
  for (size_t s = 0; s < options.stages.size(); ++s) {
    for (size_t p = 0; p < options.stages[s].size(); ++p) {
      if (!matches(options.stages[s][p], scope)) continue;
      used[s][p] = true;
      return s;
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
    : node_stage_(graph.nodes.size(), 0), reader_stage_(graph.values.size(), 0) {
  const int ranks = options.mesh->rank_count();
  const size_t count = std::max<size_t>(1, options.stages.size());
  for (size_t s = 0; s < count; ++s)
    meshes_.push_back(shifted(options.mesh, static_cast<Rank>(s) * ranks));
  everyone_ = count == 1 ? options.mesh : make_mesh({{"all", ranks * static_cast<int>(count)}});
  std::vector<std::vector<bool>> used;
  for (const auto& patterns : options.stages) used.emplace_back(patterns.size(), false);
  std::vector<size_t> value_stage(graph.values.size(), 0);
  std::vector<bool> read(graph.values.size(), false);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    size_t stage = 0;
    for (const ValueId id : node.operands)
      stage = std::max(stage, value_stage[static_cast<size_t>(id)]);
    const size_t least = stage;
    stage = stage_of(options, node.scope, used).value_or(stage);
    require(stage >= least, "'{}' of stage {} reads what stage {} computes", node.scope, stage,
            least);
    node_stage_[n] = stage;
    for (const ValueId id : node.operands) {
      if (!read[static_cast<size_t>(id)]) reader_stage_[static_cast<size_t>(id)] = stage;
      read[static_cast<size_t>(id)] = true;
    }
    for (const ValueId id : node.results) value_stage[static_cast<size_t>(id)] = stage;
  }
  for (size_t s = 0; s < used.size(); ++s)
    for (size_t p = 0; p < used[s].size(); ++p)
      require(used[s][p], "the pattern '{}' of stage {} matches no scope of the graph",
              printable(options.stages[s][p]), s);
}

Layout Stages::moved(Layout layout, const MeshPtr& mesh) const {
  if (same_ranks(*layout.mesh, *mesh)) return layout;
  require(same_ranks(*layout.mesh, *first()), "{} has other ranks than {}", to_string(*layout.mesh),
          to_string(*first()));
  const Rank offset = mesh->sorted_ranks().front() - first()->sorted_ranks().front();
  std::vector<Rank> ranks = layout.mesh->all_ranks();
  for (Rank& rank : ranks) rank += offset;
  layout.mesh = make_mesh(layout.mesh->axes, std::move(ranks));
  return layout;
}

}  // namespace tessera::internal
