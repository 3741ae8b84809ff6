#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"

namespace tessera {
namespace {

void tanh_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_floating(operands, results, [](auto x) { return std::tanh(x); });
}

}  // namespace

TESSERA_OP(tanh) {
  return {
      .mindspore_name = "Tanh",
      .doc = "y = tanh(x).",
      .operands = {{"x"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .kernels = {reference(tanh_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 4}}}, {{{}}}},
  };
}

}  // namespace tessera
