// The gradient of an op: a function in the op's own file that adds nodes. It is given what the
// call computed and the gradients of its results, and gives those of its operands:
//
//   Gradients mul_gradient(const GradientCall& call) {
//     return {sum_to(mul(call.gradient(), call.operands[1]), call.operands[0]), ...};
//   }
#pragma once

#include <optional>
#include <vector>

#include "tessera/graph/value.h"

namespace tessera {

/// Per operand the gradient of the loss, of the operand's dtype and shape; nothing: none flows
/// there.
using Gradients = std::vector<std::optional<Value>>;

/// A node through which gradients flow back. Everything here is of the graph that the function adds
/// to, and stays as it is while it does.
struct GradientCall {
  std::vector<Value> operands;
  std::vector<Value> results;
  Gradients gradients;       // per result; of some result there is one
  std::vector<bool> wanted;  // per operand; what is given for others is dropped
  Attrs attrs;               // complete

  /// Of the only result.
  Value gradient() const { return gradients.front().value(); }
  Graph& graph() const { return *operands.front().graph; }
  template <typename T>
  const T& attr(std::string_view name) const {
    return OpCall{{}, {}, attrs, {}}.attr<T>(name);
  }
};

}  // namespace tessera
