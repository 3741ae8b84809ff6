#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/norm/batch_groups.h"

namespace tessera {
namespace {

void batch_norm_sums_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                              std::span<Tensor> results) {
  const internal::BatchRows rows(call, call.operands[1]);
  const auto epsilon = call.attr<double>("epsilon");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = operands[0].data<T>().data();
    const T* g = operands[3].data<T>().data();
    const std::span<const T> mean = operands[1].data<T>();
    const std::span<const T> variance = operands[2].data<T>();
    std::vector<double> sums(mean.size(), 0.0), products(mean.size(), 0.0);
    rows.each_plane([&](int64_t at, int64_t statistics) {
      const auto s = static_cast<size_t>(statistics);
      const double centre = internal::widen(mean[s]);
      for (int64_t i = at; i < at + rows.inner(); ++i) {
        sums[s] += internal::widen(g[i]);
        products[s] += internal::widen(g[i]) * (internal::widen(x[i]) - centre);
      }
    });
    for (size_t s = 0; s < sums.size(); ++s) {
      const double deviation = std::sqrt(internal::widen(variance[s]) + epsilon);
      results[0].mutable_data<T>()[s] = internal::narrow<T>(sums[s]);
      results[1].mutable_data<T>()[s] = internal::narrow<T>(products[s] / deviation);
    }
  });
}

}  // namespace

TESSERA_OP(batch_norm_sums_grad) {
  return {
      .mindspore_name = "BatchNormGrad",
      .doc =
          "sum[r,c] of the gradient, and product[r,c] of the gradient times (x - mean) / "
          "sqrt(variance + epsilon), over all dims but c and the rows of group r: what beta and "
          "gamma get.",
      .operands = {{"x"}, {"mean"}, {"variance"}, {"gradient"}},
      .attrs = {internal::norm_epsilon_attr(), internal::groups_attr()},
      .rule =
          [](const OpCall& call) {
            const internal::BatchWords words = internal::batch_words(call);
            return words.x + ", " + words.read + ", " + words.read + ", " + words.x + " -> " +
                   words.made + ", " + words.made;
          },
      .check = [](const OpCall& call) { internal::check_batch_gradient(call, 3); },
      .kernels = {reference(batch_norm_sums_grad_cpu)},
      .examples = {{.shapes = {{4, 3, 4, 5}, {1, 3}, {1, 3}, {4, 3, 4, 5}}, .positive = true},
                   {.shapes = {{6, 5}, {3, 5}, {3, 5}, {6, 5}},
                    .attrs = {{"epsilon", 1e-3}, {"groups", 3}},
                    .positive = true},
                   {.shapes = {{4, 18, 3, 5}, {2, 18}, {2, 18}, {4, 18, 3, 5}},
                    .attrs = {{"groups", 2}},
                    .positive = true}},
  };
}

}  // namespace tessera
