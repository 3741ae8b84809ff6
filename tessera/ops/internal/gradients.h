// What the gradients of several ops share. Everything adds nodes to the operands' graph.
#pragma once

#include "tessera/graph/gradient.h"

namespace tessera::internal {

/// `gradient` of something that `like` was broadcast and converted to, as one of `like`.
Value sum_to(Value gradient, Value like);

/// `x` whose dims `axis` (all when empty) were reduced, with or without keeping them, as long as
/// `like` again: every element stands where those were that became it.
Value spread_as(Value x, Value like, const Ints& axis);

/// The gradient of the sum of products, bias and residual that the activation of `call`, a call of
/// the fusable op `op`, ends.
Value gradient_of_sums(const GradientCall& call, std::string_view op);

/// `x` under the shape of `like`.
Value reshape_as(Value x, Value like);

/// `shape` as the value of an attribute.
Ints ints(const Shape& shape);

/// A constant scalar of the dtype of `like`.
Value scalar(double value, Value like);

/// Refuses operands of several shapes: what elementwise ops of gradients check.
void check_alike(const OpCall& call);

}  // namespace tessera::internal
