// Reshapes of every kind: the rule, found by matching products of extents, and the copy.
#pragma once

#include <span>
#include <string>

#include "tessera/graph/op_call.h"

namespace tessera::internal {

/// The rule of a reshape. Factors are peeled from the front as long as both sides share one; where
/// they do not, dims are whole until the products meet again:
///
///   [6,4] to [2,3,4]   (f0=2 f1=3) f2=4 -> f0=2 f1=3 f2=4
///   [4,6] to [6,4]     (f0=2 [a1=2]) [a2=6] -> (f0=2 [b1=3]) [b2=4]
std::string reshape_rule(const Shape& from, const Shape& to);

/// The reference kernel of every view: the elements in the same order.
void copy_as_is(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results);

}  // namespace tessera::internal
