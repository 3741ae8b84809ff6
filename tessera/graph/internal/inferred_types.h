// What ops gave for the calls that were asked about last. Types follow from rules that are read as
// text; a network asks for the same ones again and again: in its trace, in its passes, wherever it
// is verified, and for blocks that are alike.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "tessera/graph/op_def.h"

namespace tessera::internal {

/// For one thread. Of calls whose hashes fall together the last one stays, so it holds kSlots at
/// most.
class InferredTypes {
 public:
  using Infer = std::vector<TensorType> (*)(const OpDef&, std::span<const TensorType>,
                                            const Attrs&);

  /// The result types of a call: as remembered, else as `infer` gives them; what it throws is not
  /// remembered. Valid until the next call.
  const std::vector<TensorType>& of(const OpDef& op, std::span<const TensorType> operands,
                                    const Attrs& attrs, Infer infer);

 private:
  static constexpr size_t kSlots = 1024;
  struct Call {
    int op = 0;  // OpDef::number
    std::vector<TensorType> operands;
    Attrs attrs;
    std::vector<TensorType> results;
  };

  std::array<std::unique_ptr<Call>, kSlots> slots_;
};

}  // namespace tessera::internal
