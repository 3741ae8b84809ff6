#include <cmath>

#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void sqrt_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_floating(operands, results, [](auto x) { return std::sqrt(x); });
}

}  // namespace

TESSERA_OP(sqrt) {
  return {
      .mindspore_name = "Sqrt",
      .doc = "y = sqrt(x); NaN below zero.",
      .operands = {{"x"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .gradient = [](const GradientCall& call) -> Gradients {
        return {div(call.gradient(), add(call.results[0], call.results[0]))};
      },
      .kernels = {reference(sqrt_cpu)},
      .examples = {{{{5, 7}}},
                   {.shapes = {{2, 3, 4}}, .positive = true},
                   {.shapes = {{}}, .positive = true}},
  };
}

}  // namespace tessera
