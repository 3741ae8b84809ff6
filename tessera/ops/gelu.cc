#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/activation.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void gelu_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const bool approximate = call.attr<bool>("approximate");
  internal::map_floating(operands, results, [&](auto x) {
    return approximate ? internal::gelu_tanh(x) : internal::gelu_erf(x);
  });
}

}  // namespace

TESSERA_OP(gelu) {
  return {
      .mindspore_name = "GELU",
      .doc =
          "y = x * Phi(x), Phi the normal distribution; approximate: x / 2 * (1 + tanh(sqrt(2 / "
          "pi) * (x + 0.044715 * x^3))).",
      .operands = {{"x"}},
      .attrs = {{"approximate", true, "by tanh, as MindSpore does by default"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = [](const GradientCall& call) -> Gradients {
        return {gelu_grad(call.gradient(), call.operands[0], call.attrs)};
      },
      .kernels = {reference(gelu_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 4}}, {{"approximate", false}}}},
  };
}

}  // namespace tessera
