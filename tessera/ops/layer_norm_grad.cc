#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/norm/norm_row.h"

namespace tessera {
namespace {

void layer_norm_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                         std::span<Tensor> results) {
  const auto epsilon = call.attr<double>("epsilon");
  const int64_t count = internal::norm_rows(call, operands[0].shape()).extent;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> gamma = operands[1].data<T>();
    const T* gradient = operands[2].data<T>().data();
    T* out = results[0].mutable_data<T>().data();
    size_t at = 0;  // in gamma, which may hold several rows
    internal::each_norm_row(operands[0].data<T>(), count, epsilon, [&](const auto& row) {
      double sum = 0, product = 0;
      const auto weighed = [&](int64_t i) {
        const size_t g = (at + static_cast<size_t>(i)) % gamma.size();
        return static_cast<double>(internal::widen(gradient[i])) * internal::widen(gamma[g]);
      };
      for (int64_t i = 0; i < count; ++i) {
        sum += weighed(i);
        product += weighed(i) * row(i);
      }
      sum /= static_cast<double>(count);
      product /= static_cast<double>(count);
      for (int64_t i = 0; i < count; ++i)
        *out++ = internal::narrow<T>((weighed(i) - sum - row(i) * product) / row.deviation);
      gradient += count;
      at += static_cast<size_t>(count);
    });
  });
}

void check_layer_norm_grad(const OpCall& call) {
  require(call.global(2) == call.global(0), "gradient is {}, x {}", shown(call.global(2)),
          shown(call.global(0)));
}

}  // namespace

TESSERA_OP(layer_norm_grad) {
  return {
      .mindspore_name = "LayerNormGrad",
      .doc =
          "x' = (g - mean(g) - n * mean(g * n)) / deviation with g = gradient * gamma and n = (x - "
          "mean(x)) / deviation: what a gradient of layer_norm's result gives its x.",
      .operands = {{"x"}, {"gamma"}, {"gradient"}},
      .attrs = internal::layer_norm_attrs(),
      .rule =
          [](const OpCall& call) {
            const internal::NormWords words = internal::norm_words(call);
            return words.x + ", " + words.gamma + ", " + words.x + " -> " + words.x;
          },
      .check = check_layer_norm_grad,
      .kernels = {reference(layer_norm_grad_cpu)},
      .examples = {{{{2, 3, 5}, {5}, {2, 3, 5}}},
                   {{{4, 3, 5}, {3, 5}, {4, 3, 5}},
                    {{"begin_norm_axis", 1}, {"begin_params_axis", 1}, {"epsilon", 1e-5}}},
                   {{{4, 3, 5}, {5}, {4, 3, 5}}, {{"begin_norm_axis", 1}, {"epsilon", 1e-3}}},
                   {{{4, 3, 5}, {3, 5}, {4, 3, 5}}, {{"begin_params_axis", 1}}}},
  };
}

}  // namespace tessera
