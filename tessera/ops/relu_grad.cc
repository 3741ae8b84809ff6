#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"

namespace tessera {
namespace {

void relu_grad_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_pairs(operands, results, [](auto gradient, auto y) {
    return y > 0 ? gradient : static_cast<decltype(gradient)>(0);
  });
}

}  // namespace

TESSERA_OP(relu_grad) {
  return {
      .mindspore_name = "ReluGrad",
      .doc = "The gradient where relu gave more than 0, and 0 elsewhere.",
      .operands = {{"gradient"}, {"y"}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .check = internal::check_alike,
      .kernels = {reference(relu_grad_cpu)},
      .examples = {{{{5, 7}, {5, 7}}}, {{{2, 3, 5, 5}, {2, 3, 5, 5}}}},
  };
}

}  // namespace tessera
