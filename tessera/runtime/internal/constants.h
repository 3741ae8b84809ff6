// Values that do not depend on the inputs: parameters, constants, and what is computed from them,
// once. Programs of several parts share them, in whatever formats their kernels want.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"
#include "tessera/runtime/program.h"

namespace tessera::internal {

/// Nodes that some output depends on.
std::vector<bool> needed_nodes(const Graph& graph);

/// Memory of many small tensors in few large blocks: those get huge pages, whose first touch costs
/// much less.
class Slabs {
 public:
  /// u8 [bytes], uninitialised, aligned to 64 bytes.
  Tensor bytes(int64_t count);

 private:
  std::shared_ptr<Buffer> slab_;
  int64_t used_ = 0;
};

class Constants {
 public:
  /// `parameters` are as Program::compile wants them.
  /// `plan_only`: memory is given to all values, but nothing is computed.
  Constants(const Graph& graph, std::span<const Tensor> parameters, const CompileOptions& options);

  bool has(ValueId id) const { return values_[static_cast<size_t>(id)].is_defined(); }
  /// A parameter as it was given, whether it is constant or not.
  const Tensor& given(ValueId parameter) const { return given_.at(parameter); }
  /// Computed, or copied to where it is aligned, when it is asked for first.
  const Tensor& value(ValueId id);
  /// The value with its type, its elements computed or not yet.
  const Tensor& placeholder(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  /// The value in this format, reordered when it is asked for first: bytes that the kernels of the
  /// format know to read, unless it is plain.
  Tensor in_format(ValueId id, const Format& format);
  /// Tensors that formatted values refer to.
  const std::vector<Tensor>& referred() const { return referred_; }
  /// "w2 = mul", one per node that was computed.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Form {
    Format format;
    Tensor tensor;
  };

  /// A product of a weight and one factor per output channel, which a packer may compute as it
  /// packs: the batch norm's share of a convolution. Most are needed packed alone.
  struct Scaled {
    const Node* node = nullptr;  // null: computed, or no such product
    ValueId weight = -1;
    ValueId scale = -1;
  };

  /// Whether the value's elements lie at multiples of their size.
  bool is_aligned(ValueId id) const;
  void compute(const Node& node);
  Scaled scaled(const Node& node) const;

  const Graph& graph_;
  Communicator* world_;
  bool plan_only_;
  int threads_;
  Slabs slabs_;
  std::map<ValueId, Tensor> given_;
  std::vector<Scaled> scaled_;  // per value
  std::vector<Tensor> values_;
  std::vector<std::vector<Form>> forms_;
  std::vector<std::string> notes_;
  std::vector<Tensor> referred_;
};

}  // namespace tessera::internal
