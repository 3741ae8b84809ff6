#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void div_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_broadcast(operands, results, [](auto a, auto b) {
    // Results are never integers, but the loop is compiled for them too.
    if constexpr (std::is_integral_v<decltype(a)>)
      return b == 0 ? a : a / b;
    else
      return a / b;
  });
}

std::vector<DType> quotient_dtype(const OpCall& call) {
  const DType a = call.operands[0].dtype;
  const DType b = call.operands[1].dtype;
  if (!info(a).is_floating && !info(b).is_floating) return {DType::kF32};
  return {internal::promote(a, b)};
}

Gradients div_gradient(const GradientCall& call) {
  const Value a = call.operands[0], b = call.operands[1];
  const Value share = div(call.gradient(), b);
  Gradients gradients(2);
  if (call.wanted[0]) gradients[0] = internal::sum_to(share, a);
  if (call.wanted[1]) gradients[1] = internal::sum_to(neg(mul(share, call.results[0])), b);
  return gradients;
}

}  // namespace

TESSERA_OP(div) {
  return {
      .mindspore_name = "Div",
      .doc = "y = a / b, broadcast from the right; two integers give f32.",
      .operands = {{"a", DTypes::kMixed}, {"b", DTypes::kMixed}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .result_dtypes = quotient_dtype,
      .gradient = div_gradient,
      .kernels = {reference(div_cpu)},
      .examples = {{.shapes = {{5, 7}, {5, 7}}, .positive = true},
                   {.shapes = {{2, 3, 4}, {3, 1}}, .positive = true},
                   {.shapes = {{4, 1, 3}, {2, 1}}, .positive = true}},
  };
}

}  // namespace tessera
