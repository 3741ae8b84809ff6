#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/activation.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"

namespace tessera {
namespace {

void gelu_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                   std::span<Tensor> results) {
  const bool approximate = call.attr<bool>("approximate");
  internal::map_pairs(operands, results, [&](auto gradient, auto x) {
    return gradient * (approximate ? internal::gelu_tanh_slope(x) : internal::gelu_erf_slope(x));
  });
}

}  // namespace

TESSERA_OP(gelu_grad) {
  return {
      .mindspore_name = "GeLUGrad",
      .doc = "The gradient times the slope of gelu at x.",
      .operands = {{"gradient"}, {"x"}},
      .attrs = {{"approximate", true, "the form of gelu"}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .check = internal::check_alike,
      .kernels = {reference(gelu_grad_cpu)},
      .examples = {{{{5, 7}, {5, 7}}}, {{{2, 3, 4}, {2, 3, 4}}, {{"approximate", false}}}},
  };
}

}  // namespace tessera
