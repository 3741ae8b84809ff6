// The pipeline stages of a graph: which ranks compute which node.
#pragma once

#include <vector>

#include "tessera/passes/place.h"

namespace tessera::internal {

/// Whether two meshes have the same set of ranks.
bool same_ranks(const Mesh& a, const Mesh& b);

class Stages {
 public:
  /// Throws as stages_of_nodes does, and kInvalidArgument where the options have no mesh.
  Stages(const Graph& graph, const PlaceOptions& options);

  const MeshPtr& first() const { return meshes_.front(); }
  const MeshPtr& of_node(size_t node) const {
    return meshes_[static_cast<size_t>(node_stage_[node])];
  }
  /// The stage of the first node that reads an input or parameter.
  const MeshPtr& of_reader(ValueId id) const {
    return meshes_[static_cast<size_t>(reader_stage_[static_cast<size_t>(id)])];
  }
  /// The mesh of all ranks: that of the options where there is one stage.
  const MeshPtr& everyone() const { return everyone_; }
  /// A layout over one stage's ranks, on those of `mesh`.
  Layout moved(Layout layout, const MeshPtr& mesh) const;

 private:
  std::vector<MeshPtr> meshes_;
  MeshPtr everyone_;
  std::vector<int> node_stage_;
  std::vector<int> reader_stage_;  // per value; 0 where nothing reads it
};

}  // namespace tessera::internal
