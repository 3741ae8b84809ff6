// Rows by index: gather and embedding. A rank that holds part of the rows gives zeros for the
// others, so that the ranks' results add up.
#pragma once

#include <string_view>

#include "tessera/graph/op_call.h"

namespace tessera::internal {

/// Operand `table` of the call is looked up along `axis` by operand `indices`; result 0 has the
/// dims of the indices in the axis' place. Negative indices count from the end, as in MindSpore;
/// throws kInvalidArgument for one outside [-extent, extent) of the whole table.
struct Lookup {
  size_t table = 0;
  size_t indices = 0;
  size_t axis = 0;
};
void look_up(const OpCall& call, const Lookup& lookup, std::span<const Tensor> operands,
             std::span<Tensor> results);

/// "v" where partial results of this dtype can be added, else "[v]".
std::string_view row_word(DType dtype);

}  // namespace tessera::internal
