#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/norm/batch_groups.h"
#include "tessera/ops/ops.h"
#include "tessera/ops/registry.h"

namespace tessera {
namespace {

void batch_norm_train_cpu(const OpCall& call, std::span<const Tensor> operands,
                          std::span<Tensor> results) {
  const internal::BatchRows rows(call, call.operands[3]);
  const auto epsilon = call.attr<double>("epsilon");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = operands[0].data<T>().data();
    T* y = results[0].mutable_data<T>().data();
    const auto value = [&](size_t operand, int64_t i) -> double {
      return internal::widen(operands[operand].data<T>()[static_cast<size_t>(i)]);
    };
    rows.each_plane([&](int64_t at, int64_t statistics) {
      const int64_t c = statistics % rows.channels();
      const double mean = value(3, statistics);
      const double scale = value(1, c) / std::sqrt(value(4, statistics) + epsilon);
      const double beta = value(2, c);
      for (int64_t i = at; i < at + rows.inner(); ++i)
        y[i] = internal::narrow<T>((internal::widen(x[i]) - mean) * scale + beta);
    });
  });
}

/// That of x with what flows through its statistics: none flows to mean and variance themselves.
Gradients batch_norm_train_gradient(const GradientCall& call) {
  const Value x = call.operands[0], gamma = call.operands[1];
  const Value mean = call.operands[3], variance = call.operands[4];
  const Value g = call.gradient();
  Graph& graph = call.graph();
  const std::vector<ValueId> sums =
      graph.emit(require_op("batch_norm_sums_grad"), {x.id, mean.id, variance.id, g.id}, call.attrs,
                 graph.scope);
  const Value sum{&graph, sums[0]}, product{&graph, sums[1]};
  Gradients gradients(5);
  if (call.wanted[0])
    gradients[0] = batch_norm_train_grad(x, gamma, mean, variance, g, sum, product, call.attrs);
  if (call.wanted[1]) gradients[1] = reduce_sum(product, {{"axis", 0}});
  if (call.wanted[2]) gradients[2] = reduce_sum(sum, {{"axis", 0}});
  return gradients;
}

}  // namespace

TESSERA_OP(batch_norm_train) {
  return {
      .mindspore_name = "BatchNorm(is_training=True)",
      .doc =
          "y[n,c,...] = (x[n,c,...] - mean[r,c]) / sqrt(variance[r,c] + epsilon) * gamma[c] + "
          "beta[c] for row n of group r: with the statistics of x itself, through which x's "
          "gradient flows too.",
      .operands = {{"x"}, {"gamma"}, {"beta"}, {"mean"}, {"variance"}},
      .attrs = {internal::norm_epsilon_attr(), internal::groups_attr()},
      .rule =
          [](const OpCall& call) {
            const internal::BatchWords words = internal::batch_words(call);
            return words.x + ", d1, d1, " + words.read + ", " + words.read + " -> " + words.x;
          },
      .check = internal::check_batch_groups,
      .gradient = batch_norm_train_gradient,
      .kernels = {reference(batch_norm_train_cpu)},
      .examples = {{.shapes = {{4, 3, 4, 5}, {3}, {3}, {1, 3}, {1, 3}}, .positive = true},
                   {.shapes = {{6, 5}, {5}, {5}, {3, 5}, {3, 5}},
                    .attrs = {{"epsilon", 1e-3}, {"groups", 3}},
                    .positive = true},
                   {.shapes = {{4, 18, 3, 5}, {18}, {18}, {2, 18}, {2, 18}},
                    .attrs = {{"groups", 2}},
                    .positive = true}},
  };
}

}  // namespace tessera
