#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/activation.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void relu_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_number(operands, results, [](auto x) { return internal::relu(x); });
}

}  // namespace

TESSERA_OP(relu) {
  return {
      .mindspore_name = "ReLU",
      .doc = "y = max(x, 0), and 0 for NaN.",
      .operands = {{"x", DTypes::kNumber}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = [](const GradientCall& call) -> Gradients {
        return {relu_grad(call.gradient(), call.results[0])};
      },
      .kernels = {reference(relu_cpu)},
      .examples = {{{{5, 7}}},
                   {{{2, 3, 5, 5}}},
                   {{{}}},
                   {.shapes = {{6, 2}}, .dtypes = {DType::kI32}}},
  };
}

}  // namespace tessera
