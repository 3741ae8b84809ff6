// Builds a graph from another, node by node: what passes do. Values keep their names, inputs and
// parameters their order.
#pragma once

#include <string>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::internal {

class Rewriter {
 public:
  /// Copies inputs, parameters and constants. `source` must outlive this.
  explicit Rewriter(const Graph& source);

  const Graph& graph() const { return made_; }
  /// The name of a value of the source.
  const std::string& name_of(ValueId old) const {
    return source_.values[static_cast<size_t>(old)].name;
  }
  /// What stands for a value of the source.
  ValueId of(ValueId old) const;
  std::vector<ValueId> of(std::span<const ValueId> old) const;
  /// The node of the new graph that computes a value of it; null for inputs and the like.
  const Node* producer(ValueId made) const;

  /// Appends a node of the source as it is.
  void keep(const Node& node);
  /// Appends a node of operands in the new graph. Its result is called `wish`, or that with a
  /// number.
  ValueId emit(const Node& node, std::string_view wish);
  ValueId emit(std::string_view op, std::vector<ValueId> operands, Attrs attrs,
               std::string_view scope, std::string_view wish);
  /// A node of operands in the new graph, to be given to emit or emit_for.
  static Node made(std::string_view op, std::vector<ValueId> operands, std::string scope);
  /// Appends a node whose result stands for the source's value `old`, and takes its name.
  void emit_for(ValueId old, const Node& node);
  ValueId constant(std::string_view wish, Tensor value);
  void constant_for(ValueId old, Tensor value);
  /// A further input of the new graph: the one of this name, where the source has it.
  ValueId input(std::string_view name, DType dtype, const Shape& shape);
  /// A further update; both are of the new graph.
  void update(ValueId parameter, ValueId value) { made_.updates.push_back({parameter, value}); }
  /// From now on `made` stands for `old`.
  void stand_for(ValueId old, ValueId made) { map_[static_cast<size_t>(old)] = made; }

  /// The new graph, without nodes and constants that no output needs any more.
  Graph finish();

 private:
  std::string unused(std::string_view wish) const;
  void note_producer();

  const Graph& source_;
  Graph made_;
  std::vector<ValueId> map_;    // per value of the source; -1: none yet
  std::vector<int> producers_;  // per value of the new graph its node, or -1
};

/// How often each value is read; being an output counts.
std::vector<int> use_counts(const Graph& graph);
/// Whether each value depends on constants and parameters only.
std::vector<bool> known_values(const Graph& graph);
/// Without the nodes and constants that no output needs. Inputs and parameters stay.
Graph without_dead(Graph graph);

}  // namespace tessera::internal
