#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"

namespace tessera {
namespace {

void relu6_grad_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_pairs(operands, results, [](auto gradient, auto x) {
    return x > 0 && x <= 6 ? gradient : static_cast<decltype(gradient)>(0);
  });
}

}  // namespace

TESSERA_OP(relu6_grad) {
  return {
      .mindspore_name = "ReLU6Grad",
      .doc = "The gradient where 0 < x <= 6, and 0 elsewhere.",
      .operands = {{"gradient"}, {"x"}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .check = internal::check_alike,
      .kernels = {reference(relu6_grad_cpu)},
      .examples = {{{{5, 7}, {5, 7}}}, {{{2, 3, 5, 5}, {2, 3, 5, 5}}}},
  };
}

}  // namespace tessera
