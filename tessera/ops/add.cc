#include "tessera/ops/internal/arithmetic.h"

namespace tessera {
namespace {

void add_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_broadcast(operands, results, [](auto a, auto b) { return a + b; });
}

}  // namespace

TESSERA_OP(add) {
  return internal::arithmetic_op(
      "Add", "y = a + b, broadcast from the right; integers wrap around.", reference(add_cpu));
}

}  // namespace tessera
