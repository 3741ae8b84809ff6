#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera {
namespace {

void relu_grad_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> gradient = operands[0].data<T>();
    const std::span<const T> y = operands[1].data<T>();
    const std::span<T> x = results[0].mutable_data<T>();
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = internal::widen(y[i]) > 0 ? gradient[i] : internal::narrow<T>(0.0F);
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
