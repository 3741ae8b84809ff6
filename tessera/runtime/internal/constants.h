// Values that do not depend on the inputs: parameters, constants, and what is computed from them,
// once. Programs of several parts share them, in whatever formats their kernels want.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::internal {

/// Nodes that some output depends on.
std::vector<bool> needed_nodes(const Graph& graph);

class Constants {
 public:
  /// `parameters` are as Program::compile wants them.
  /// `plan_only`: memory is given to all values, but nothing is computed.
  Constants(const Graph& graph, std::span<const Tensor> parameters, Communicator* world = nullptr,
            bool plan_only = false);

  bool has(ValueId id) const { return values_[static_cast<size_t>(id)].is_defined(); }
  const Tensor& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  /// The value in this format: reordered when it is asked for first.
  Tensor in_format(ValueId id, const Format& format);
  /// "w2 = mul", one per node that was computed.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Form {
    Format format;
    Tensor tensor;
  };

  void compute(const Graph& graph, const Node& node);

  Communicator* world_;
  bool plan_only_;
  std::vector<Tensor> values_;
  std::vector<std::vector<Form>> forms_;
  std::vector<std::string> notes_;
};

}  // namespace tessera::internal
