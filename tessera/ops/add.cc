#include "tessera/ops/internal/arithmetic.h"

namespace tessera {
namespace {

void add_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_broadcast(operands, results, [](auto a, auto b) { return a + b; });
}

Gradients add_gradient(const GradientCall& call) {
  Gradients gradients(2);
  for (size_t i = 0; i < 2; ++i)
    if (call.wanted[i]) gradients[i] = internal::sum_to(call.gradient(), call.operands[i]);
  return gradients;
}

}  // namespace

TESSERA_OP(add) {
  return internal::arithmetic_op("Add",
                                 "y = a + b, broadcast from the right; integers wrap around.",
                                 add_gradient, reference(add_cpu));
}

}  // namespace tessera
