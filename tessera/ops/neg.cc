#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

template <typename T>
T negated(T x) {
  if constexpr (internal::kIsInteger<T>)
    return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x));
  else
    return -x;
}

void neg_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_number(operands, results, [](auto x) { return negated(x); });
}

}  // namespace

TESSERA_OP(neg) {
  return {
      .mindspore_name = "Neg",
      .doc = "y = -x; integers wrap around.",
      .operands = {{"x", DTypes::kNumber}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = [](const GradientCall& call) -> Gradients { return {neg(call.gradient())}; },
      .kernels = {reference(neg_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 4}}}, {.shapes = {{6, 2}}, .dtypes = {DType::kI64}}},
  };
}

}  // namespace tessera
