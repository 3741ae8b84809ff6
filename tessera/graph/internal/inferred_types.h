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
  /// The result types of a call that is remembered; null: it is not. Valid until the next keep().
  const std::vector<TensorType>* find(const OpDef& op, std::span<const TensorType> operands,
                                      const Attrs& attrs);
  /// Remembers the call that find() was asked about last.
  void keep(const OpDef& op, std::span<const TensorType> operands, const Attrs& attrs,
            const std::vector<TensorType>& results);

 private:
  static constexpr size_t kSlots = 1024;
  struct Call {
    int op = 0;  // OpDef::number
    std::vector<TensorType> operands;
    Attrs attrs;
    std::vector<TensorType> results;
  };

  std::array<std::unique_ptr<Call>, kSlots> slots_;
  size_t slot_ = 0;  // of the call that was asked about last
};

}  // namespace tessera::internal
