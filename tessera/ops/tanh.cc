#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void tanh_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_floating(operands, results, [](auto x) { return std::tanh(x); });
}

Gradients tanh_gradient(const GradientCall& call) {
  const Value y = call.results[0];
  return {mul(call.gradient(), sub(internal::scalar(1, y), mul(y, y)))};
}

}  // namespace

TESSERA_OP(tanh) {
  return {
      .mindspore_name = "Tanh",
      .doc = "y = tanh(x).",
      .operands = {{"x"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = tanh_gradient,
      .kernels = {reference(tanh_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 4}}}, {{{}}}},
  };
}

}  // namespace tessera
