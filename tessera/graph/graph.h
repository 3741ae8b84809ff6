// A program as a graph in SSA form: values are numbered, nodes stand in execution order. Printable,
// parsable, comparable:
//
//   input x : f32[2,1,28,28]
//   parameter fc.weight : f32[10,784]
//   v2 = flatten(x) {axis=1} : f32[2,784]
//   v3 = dense(v2, fc.weight) : f32[2,10]
//   output v3
//   update fc.weight = v9
//
// An update gives a parameter its value for the next run: training.
// In the graph of one rank of many, types say what is here: f32[2,10] at [0,0]+[2,5]. How a node
// was asked to be sharded stands before the types: matmul(x, w) @ "((2,1),(1,4))" : f32[8,16].
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/graph/name_index.h"
#include "tessera/graph/op_def.h"
#include "tessera/tensor/distribution.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

using ValueId = int;

struct ValueInfo {
  std::string name;  // unique in the graph; Graph::rename changes it
  DType dtype = DType::kF32;
  Shape shape;  // of all of it
  /// In the graph of one rank: what is here of it. Nothing: all.
  std::optional<Box> box = std::nullopt;
  /// Of a parameter that is being built: what it begins with where nothing is loaded. Not printed,
  /// not parsed.
  Distribution initial = {};

  bool is_whole() const { return !box || box->size == shape; }
};

struct Node {
  const OpDef* op = nullptr;
  std::vector<ValueId> operands;
  std::vector<ValueId> results;
  Attrs attrs;        // complete
  std::string scope;  // where in the model it was made: "conv1"; may be empty
  /// As shard() was given it, in the notation of passes/shard.h; empty: it follows from the
  /// operands' layouts.
  std::string sharding = {};
};

/// After a run the parameter has this value.
struct Update {
  ValueId parameter = -1;
  ValueId value = -1;  // of the parameter's dtype and shape
};

struct Graph {
  std::vector<ValueInfo> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;      // given at every run
  std::vector<ValueId> parameters;  // filled from a checkpoint
  std::map<ValueId, Tensor> constants;
  std::vector<ValueId> outputs;
  std::vector<Update> updates;  // of every parameter at most one
  std::string scope;            // of the nodes that the functions of tessera/ops/ops.h add

  ValueId add_input(std::string name, DType dtype, Shape shape);
  ValueId add_parameter(std::string name, DType dtype, Shape shape);
  ValueId add_constant(std::string name, Tensor value);
  /// Checks the call against the op's definition and appends a node; the results in order. Throws
  /// kInvalidArgument with the context "adding op 'name'".
  std::vector<ValueId> emit(const OpDef& op, std::vector<ValueId> operands, Attrs attrs = {},
                            std::string scope = {});

  /// The value called `name`, or nothing.
  std::optional<ValueId> find(std::string_view name) const;
  TensorType type(ValueId value) const;
  /// Types of several values, in order: what an OpCall wants.
  std::vector<TensorType> types(std::span<const ValueId> ids) const;
  /// Gives a value another name, which no other value has: find() looks names up in an index.
  void rename(ValueId value, std::string name);
  /// A name that no value has yet: `wish`, or `wish` with a number.
  std::string unused_name(std::string_view wish) const;

  NameIndex names;  // of the values' names, for find()
};

/// Products that a node adds up: the elements of its rule where it multiplies its operands and sums
/// (conv2d, dense, matmul), 0 for every other node. Zeros of padding are counted.
double multiply_adds(const Graph& graph, const Node& node);
/// Of all nodes.
double multiply_adds(const Graph& graph);

/// One line per input, parameter, constant, node and output; attributes that have their default
/// value are left out. Constants up to 16 elements are
/// printed with their values, larger ones with a digest (such a text does not parse).
std::string to_string(const Graph& graph);
/// Reads what to_string writes; scopes follow '#'. Throws kInvalidArgument with the line number.
Graph parse_graph(std::string_view text, OpLookup find_op);

/// Checks that every value is defined once and before its use, and that every node's result types
/// are what its op infers. Throws kInternal naming the node.
void verify(const Graph& graph);

}  // namespace tessera
