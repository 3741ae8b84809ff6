#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/activation.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void leaky_relu_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  const auto alpha = call.attr<double>("alpha");
  internal::map_floating(operands, results, [&](auto x) { return internal::leaky_relu(x, alpha); });
}

}  // namespace

TESSERA_OP(leaky_relu) {
  return {
      .mindspore_name = "LeakyReLU",
      .doc = "y = x where x > 0, alpha * x elsewhere.",
      .operands = {{"x"}},
      .attrs = {{"alpha", 0.2, "the slope below zero"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = [](const GradientCall& call) -> Gradients {
        return {leaky_relu_grad(call.gradient(), call.operands[0], call.attrs)};
      },
      .kernels = {reference(leaky_relu_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 5, 5}}, {{"alpha", 0.01}}}},
  };
}

}  // namespace tessera
