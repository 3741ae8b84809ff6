// What the functions of tessera/ops/ops.h do.
#pragma once

#include <span>
#include <string_view>

#include "tessera/graph/value.h"

namespace tessera::internal {

/// Appends a node of the op to the operands' graph, in the scope that is in force there; gives
/// result 0. Throws kInvalidArgument when the operands are of several graphs, or of none.
Value emit(std::string_view op, std::span<const Value> operands, const Attrs& attrs);

}  // namespace tessera::internal
