#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/activation.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void sigmoid_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_floating(operands, results, [](auto x) { return internal::sigmoid(x); });
}

Gradients sigmoid_gradient(const GradientCall& call) {
  const Value y = call.results[0];
  return {mul(call.gradient(), mul(y, sub(internal::scalar(1, y), y)))};
}

}  // namespace

TESSERA_OP(sigmoid) {
  return {
      .mindspore_name = "Sigmoid",
      .doc = "y = 1 / (1 + e^-x).",
      .operands = {{"x"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = sigmoid_gradient,
      .kernels = {reference(sigmoid_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 4}}}, {{{0, 3}}}},
  };
}

}  // namespace tessera
