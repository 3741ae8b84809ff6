#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void batch_norm_shift_cpu(const OpCall& call, std::span<const Tensor> operands,
                          std::span<Tensor> results) {
  const bool has_bias = call.operand_count() > 3;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> beta = operands[0].data<T>();
    const std::span<const T> mean = operands[1].data<T>();
    const std::span<const T> scale = operands[2].data<T>();
    const std::span<const T> bias = has_bias ? operands[3].data<T>() : std::span<const T>();
    const std::span<T> shift = results[0].mutable_data<T>();
    for (size_t c = 0; c < shift.size(); ++c) {
      const double before = has_bias ? internal::widen(bias[c]) : 0.0;
      const double centred = before - internal::widen(mean[c]);
      shift[c] =
          internal::narrow<T>(centred * internal::widen(scale[c]) + internal::widen(beta[c]));
    }
  });
}

Gradients batch_norm_shift_gradient(const GradientCall& call) {
  const Value mean = call.operands[1], scale = call.operands[2], g = call.gradient();
  const bool has_bias = call.operands.size() > 3;
  const Value of_bias = mul(g, scale);
  const Value centred = has_bias ? sub(call.operands[3], mean) : neg(mean);
  Gradients gradients = {g, neg(of_bias), mul(g, centred)};
  if (has_bias) gradients.push_back(of_bias);
  return gradients;
}

}  // namespace

TESSERA_OP(batch_norm_shift) {
  return {
      .mindspore_name = "BatchNorm",
      .doc =
          "shift[c] = (bias[c] - mean[c]) * scale[c] + beta[c]: what batch_norm leaves to be "
          "added, "
          "with the bias of the product before it, if that has one.",
      .operands = {{"beta"}, {"mean"}, {"scale"}, {.name = "bias", .optional = true}},
      .rule = [](const OpCall& call) -> std::string {
        return call.operand_count() > 3 ? "d0, d0, d0, d0 -> d0" : "d0, d0, d0 -> d0";
      },
      .gradient = batch_norm_shift_gradient,
      .kernels = {reference(batch_norm_shift_cpu)},
      .examples = {{.shapes = {{6}, {6}, {6}}}, {.shapes = {{5}, {5}, {5}, {5}}}},
  };
}

}  // namespace tessera
