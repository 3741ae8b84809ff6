// Where in a model a layer stands. The scope gives names to parameters ("fc1.weight") and holds the
// graph that is being built: calling a layer is tracing it.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "tessera/graph/value.h"
#include "tessera/nn/initializer.h"

namespace tessera {

class Scope {
 public:
  /// The root. The graph must outlive every scope and value made from it.
  explicit Scope(Graph& graph) : graph_(&graph) {}
  /// The scope of a part: Scope(graph) / "block" / "conv" names "block.conv.weight".
  Scope operator/(std::string_view part) const;

  Graph& graph() const { return *graph_; }
  const std::string& path() const { return path_; }

  /// The parameter `name` of this scope, made on the first call. The same name gives the same
  /// value, so tying weights is calling twice; another shape or dtype the second time is
  /// kInvalidArgument. `init` says what it begins with; the first call decides.
  Value parameter(std::string_view name, Shape shape, const Initializer& init = zeros(),
                  DType dtype = DType::kF32) const;

  /// The results of a node of this scope; the first is returned.
  Value emit(std::string_view op, std::span<const Value> operands, Attrs attrs = {}) const;
  Value emit(std::string_view op, std::initializer_list<Value> operands, Attrs attrs = {}) const {
    return emit(op, std::span<const Value>(operands.begin(), operands.size()), std::move(attrs));
  }

 private:
  Graph* graph_;
  std::string path_;
};

}  // namespace tessera
