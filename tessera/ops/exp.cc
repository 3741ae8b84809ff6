#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void exp_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_floating(operands, results, [](auto x) { return std::exp(x); });
}

}  // namespace

TESSERA_OP(exp) {
  return {
      .mindspore_name = "Exp",
      .doc = "y = e^x.",
      .operands = {{"x"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = [](const GradientCall& call) -> Gradients {
        return {mul(call.gradient(), call.results[0])};
      },
      .kernels = {reference(exp_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 4}}}, {{{}}}},
  };
}

}  // namespace tessera
