// A program before it has memory: the steps of one run in order, and the storages they read and
// write. Compiling a graph is: build_steps (kernels, formats, reorders), write_into_results
// (concats whose operands are computed in place), share_overwritten (results that take over an
// operand's memory), write_updates, plan_memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"
#include "tessera/runtime/internal/constants.h"
#include "tessera/runtime/program.h"

namespace tessera::internal {

using StorageId = int;

enum class StorageKind : uint8_t {
  kArena,     // an activation
  kInput,     // the caller's tensor, given at every run
  kOutput,    // allocated at every run and given away
  kConstant,  // a parameter, a constant, or something computed from them
  kState,     // a parameter that the graph updates: the tensor that was given when compiling
};

/// Bytes that hold one value in one format. Views of a value share its storage.
struct Storage {
  StorageKind kind = StorageKind::kArena;
  std::string name;  // of the value
  int64_t bytes = 0;
  int index = -1;   // of the input or output
  Tensor constant;  // kConstant, kState
};

/// A storage read as a tensor of this type.
struct Slot {
  StorageId storage = -1;  // -1: an operand that lies in the step's result already
  TensorType type;
  Format format;
  int64_t offset = 0;    // bytes
  int64_t channels = 0;  // of the wider image that a result is written into; 0: its own
};

enum class StepKind : uint8_t {
  kKernel,   // computes a node
  kReorder,  // from one memory format into another
  kCopy,     // saves an operand that the next step overwrites
};

struct Step {
  StepKind kind = StepKind::kKernel;
  std::string name;  // of the first result
  const Node* node = nullptr;
  std::string_view kernel;           // "onednn"
  std::vector<std::string> refused;  // "name: reason", better kernels first
  std::vector<Slot> operands;
  std::vector<Slot> results;
  std::vector<TensorType> operand_types;  // of the node: prepared kernels may refer to them
  std::vector<TensorType> result_types;
  std::unique_ptr<PreparedKernel> prepared;  // null for kCopy
};

struct Steps {
  std::vector<Step> steps;
  std::vector<Storage> storages;
  std::vector<StorageId> inputs;   // per graph input
  std::vector<Slot> outputs;       // per graph output; plain
  std::vector<StorageId> states;   // per update of the graph the parameter's
  std::vector<Slot> updates;       // per update the value, until write_updates has been there
  std::vector<std::string> notes;  // what was computed while compiling, for explain()
  int64_t weight_bytes = 0;
};

/// `graph` must outlive the result. `constants` are those of the graph.
Steps build_steps(const Graph& graph, Constants& constants, const CompileOptions& options);

/// Lets kernels write their results right where a concat would copy them to; concats that have
/// nothing left to copy are dropped.
void write_into_results(Steps& steps);

/// Lets results take over the memory of operands that their kernels overwrite; where something else
/// still needs the operand, a copy step comes before.
void share_overwritten(Steps& steps);

/// Brings the values of updates into the parameters' memory: by the step that computes them where
/// nothing reads the parameter any more, else by a copy at the end.
void write_updates(Steps& steps);

/// Per storage the last step that reads or writes it; `steps.size()` for outputs, -1 for none.
std::vector<int> last_uses(const Steps& steps);

}  // namespace tessera::internal
