#include "tessera/ops/internal/arithmetic.h"

namespace tessera {
namespace {

void sub_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_broadcast(operands, results, [](auto a, auto b) { return a - b; });
}

}  // namespace

TESSERA_OP(sub) {
  return internal::arithmetic_op(
      "Sub", "y = a - b, broadcast from the right; integers wrap around.", reference(sub_cpu));
}

}  // namespace tessera
