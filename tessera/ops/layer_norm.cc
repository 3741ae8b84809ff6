#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/norm/norm_row.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void layer_norm_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  const int64_t count = internal::norm_rows(call, operands[0].shape()).extent;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> gamma = operands[1].data<T>();
    const std::span<const T> beta = operands[2].data<T>();
    T* y = results[0].mutable_data<T>().data();
    size_t at = 0;
    const auto epsilon = call.attr<double>("epsilon");
    internal::each_norm_row(operands[0].data<T>(), count, epsilon, [&](const auto& row) {
      for (int64_t i = 0; i < count; ++i, ++at)
        *y++ = internal::narrow<T>(row(i) * internal::widen(gamma[at % gamma.size()]) +
                                   internal::widen(beta[at % gamma.size()]));
    });
  });
}

Gradients layer_norm_gradient(const GradientCall& call) {
  const Value x = call.operands[0], gamma = call.operands[1], g = call.gradient();
  Gradients gradients(3);
  if (call.wanted[0]) gradients[0] = layer_norm_grad(x, gamma, g, call.attrs);
  if (call.wanted[1]) gradients[1] = layer_norm_gamma_grad(x, g, call.attrs);
  if (call.wanted[2]) gradients[2] = internal::sum_to(g, call.operands[2]);
  return gradients;
}

}  // namespace

TESSERA_OP(layer_norm) {
  return {
      .mindspore_name = "LayerNorm",
      .doc =
          "y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance over the "
          "dims from begin_norm_axis on.",
      .operands = {{"x"}, {"gamma"}, {"beta"}},
      .attrs = internal::layer_norm_attrs(),
      .rule =
          [](const OpCall& call) {
            const internal::NormWords words = internal::norm_words(call);
            return words.x + ", " + words.gamma + ", " + words.gamma + " -> " + words.x;
          },
      .gradient = layer_norm_gradient,
      .kernels = {reference(layer_norm_cpu)},
      .examples = {{{{2, 3, 5}, {5}, {5}}},
                   {{{4, 3, 5}, {3, 5}, {3, 5}},
                    {{"begin_norm_axis", 1}, {"begin_params_axis", 1}, {"epsilon", 1e-5}}},
                   {{{4, 3, 5}, {5}, {5}}, {{"begin_norm_axis", 1}, {"epsilon", 1e-3}}},
                   {{{4, 3, 5}, {3, 5}, {3, 5}}, {{"begin_params_axis", 1}}}},
  };
}

}  // namespace tessera
