#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/activation.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void relu6_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_floating(operands, results, [](auto x) { return internal::relu6(x); });
}

}  // namespace

TESSERA_OP(relu6) {
  return {
      .mindspore_name = "ReLU6",
      .doc = "y = min(max(x, 0), 6).",
      .operands = {{"x"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = [](const GradientCall& call) -> Gradients {
        return {relu6_grad(call.gradient(), call.operands[0])};
      },
      .kernels = {reference(relu6_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 4}}}, {{{2, 3, 5, 5}}}},
  };
}

}  // namespace tessera
