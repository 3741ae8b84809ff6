#include "tessera/ops/internal/arithmetic.h"

namespace tessera {
namespace {

void sub_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_broadcast(operands, results, [](auto a, auto b) { return a - b; });
}

Gradients sub_gradient(const GradientCall& call) {
  Gradients gradients(2);
  if (call.wanted[0]) gradients[0] = internal::sum_to(call.gradient(), call.operands[0]);
  if (call.wanted[1]) gradients[1] = internal::sum_to(neg(call.gradient()), call.operands[1]);
  return gradients;
}

}  // namespace

TESSERA_OP(sub) {
  return internal::arithmetic_op("Sub",
                                 "y = a - b, broadcast from the right; integers wrap around.",
                                 sub_gradient, reference(sub_cpu));
}

}  // namespace tessera
