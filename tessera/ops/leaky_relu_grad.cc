#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"

namespace tessera {
namespace {

void leaky_relu_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                         std::span<Tensor> results) {
  const auto alpha = call.attr<double>("alpha");
  internal::map_pairs(operands, results, [&](auto gradient, auto x) {
    return x > 0 ? gradient : static_cast<decltype(gradient)>(alpha) * gradient;
  });
}

}  // namespace

TESSERA_OP(leaky_relu_grad) {
  return {
      .mindspore_name = "LeakyReLUGrad",
      .doc = "The gradient where x > 0, alpha times the gradient elsewhere.",
      .operands = {{"gradient"}, {"x"}},
      .attrs = {{"alpha", 0.2, "the slope below zero"}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .check = internal::check_alike,
      .kernels = {reference(leaky_relu_grad_cpu)},
      .examples = {{{{5, 7}, {5, 7}}}, {{{2, 3, 5, 5}, {2, 3, 5, 5}}, {{"alpha", 0.01}}}},
  };
}

}  // namespace tessera
