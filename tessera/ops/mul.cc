#include "tessera/ops/internal/arithmetic.h"

namespace tessera {
namespace {

void mul_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_broadcast(operands, results, [](auto a, auto b) { return a * b; });
}

}  // namespace

TESSERA_OP(mul) {
  return internal::arithmetic_op(
      "Mul", "y = a * b, broadcast from the right; integers wrap around.", reference(mul_cpu));
}

}  // namespace tessera
