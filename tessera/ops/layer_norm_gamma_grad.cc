#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/norm/norm_row.h"

namespace tessera {
namespace {

void layer_norm_gamma_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                               std::span<Tensor> results) {
  const auto epsilon = call.attr<double>("epsilon");
  const int64_t count = internal::norm_rows(call, operands[0].shape()).extent;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* gradient = operands[1].data<T>().data();
    const std::span<T> out = results[0].mutable_data<T>();
    std::vector<double> sums(out.size(), 0.0);
    size_t at = 0;
    internal::each_norm_row(operands[0].data<T>(), count, epsilon, [&](const auto& row) {
      for (int64_t i = 0; i < count; ++i, ++at)
        sums[at % sums.size()] += row(i) * static_cast<double>(internal::widen(*gradient++));
    });
    for (size_t i = 0; i < out.size(); ++i) out[i] = internal::narrow<T>(sums[i]);
  });
}

void check_layer_norm_gamma_grad(const OpCall& call) {
  require(call.global(1) == call.global(0), "gradient is {}, x {}", shown(call.global(1)),
          shown(call.global(0)));
}

}  // namespace

TESSERA_OP(layer_norm_gamma_grad) {
  return {
      .mindspore_name = "LayerNormGrad",
      .doc =
          "gamma' = sum over the dims before begin_params_axis of gradient * (x - mean(x)) / "
          "deviation: what a gradient of layer_norm's result gives its gamma.",
      .operands = {{"x"}, {"gradient"}},
      .attrs = internal::layer_norm_attrs(),
      .rule =
          [](const OpCall& call) {
            const internal::NormWords words = internal::norm_words(call);
            return words.x + ", " + words.x + " -> " + words.gamma;
          },
      .check = check_layer_norm_gamma_grad,
      .kernels = {reference(layer_norm_gamma_grad_cpu)},
      .examples = {{{{2, 3, 5}, {2, 3, 5}}},
                   {{{4, 3, 5}, {4, 3, 5}},
                    {{"begin_norm_axis", 1}, {"begin_params_axis", 1}, {"epsilon", 1e-5}}},
                   {{{4, 3, 5}, {4, 3, 5}}, {{"begin_norm_axis", 1}, {"epsilon", 1e-3}}},
                   {{{4, 3, 5}, {4, 3, 5}}, {{"begin_params_axis", 1}}}},
  };
}

}  // namespace tessera
