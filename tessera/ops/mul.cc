#include "tessera/ops/internal/arithmetic.h"

namespace tessera {
namespace {

void mul_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_broadcast(operands, results, [](auto a, auto b) { return a * b; });
}

Gradients mul_gradient(const GradientCall& call) {
  const Value a = call.operands[0], b = call.operands[1];
  Gradients gradients(2);
  if (call.wanted[0]) gradients[0] = internal::sum_to(mul(call.gradient(), b), a);
  if (call.wanted[1]) gradients[1] = internal::sum_to(mul(call.gradient(), a), b);
  return gradients;
}

}  // namespace

TESSERA_OP(mul) {
  return internal::arithmetic_op("Mul",
                                 "y = a * b, broadcast from the right; integers wrap around.",
                                 mul_gradient, reference(mul_cpu));
}

}  // namespace tessera
