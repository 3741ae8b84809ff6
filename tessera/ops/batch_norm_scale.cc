#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/norm/batch_groups.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void batch_norm_scale_cpu(const OpCall& call, std::span<const Tensor> operands,
                          std::span<Tensor> results) {
  const auto epsilon = call.attr<double>("epsilon");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> gamma = operands[0].data<T>();
    const std::span<const T> variance = operands[1].data<T>();
    const std::span<T> scale = results[0].mutable_data<T>();
    for (size_t c = 0; c < scale.size(); ++c) {
      const double deviation = std::sqrt(internal::widen(variance[c]) + epsilon);
      scale[c] = internal::narrow<T>(internal::widen(gamma[c]) / deviation);
    }
  });
}

Gradients batch_norm_scale_gradient(const GradientCall& call) {
  const Value gamma = call.operands[0];
  const Value shifted =
      add(call.operands[1], internal::scalar(call.attr<double>("epsilon"), gamma));
  const Value g = call.gradient();
  return {div(g, sqrt(shifted)),
          div(mul(g, call.results[0]), mul(shifted, internal::scalar(-2, gamma)))};
}

}  // namespace

TESSERA_OP(batch_norm_scale) {
  return {
      .mindspore_name = "BatchNorm",
      .doc =
          "scale[c] = gamma[c] / sqrt(variance[c] + epsilon): what batch_norm multiplies by, for "
          "the weights before it.",
      .operands = {{"gamma"}, {"variance"}},
      .attrs = {internal::norm_epsilon_attr()},
      .rule = OpDef::fixed_rule("d0, d0 -> d0"),
      .gradient = batch_norm_scale_gradient,
      .kernels = {reference(batch_norm_scale_cpu)},
      .examples = {{.shapes = {{6}, {6}}, .positive = true},
                   {.shapes = {{5}, {5}}, .attrs = {{"epsilon", 1e-3}}, .positive = true}},
  };
}

}  // namespace tessera
