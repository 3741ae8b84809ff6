#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/norm/batch_groups.h"

namespace tessera {
namespace {

void batch_norm_train_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                               std::span<Tensor> results) {
  const internal::BatchRows rows(call, call.operands[2]);
  const auto epsilon = call.attr<double>("epsilon");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = operands[0].data<T>().data();
    const T* g = operands[4].data<T>().data();
    T* out = results[0].mutable_data<T>().data();
    const auto value = [&](size_t operand, int64_t i) -> double {
      return internal::widen(operands[operand].data<T>()[static_cast<size_t>(i)]);
    };
    rows.each_plane([&](int64_t at, int64_t s) {
      const double deviation = std::sqrt(value(3, s) + epsilon);
      const double scale = value(1, s % rows.channels()) / deviation;
      const double mean = value(2, s);
      const double sum = value(5, s) / rows.count();
      const double product = value(6, s) / rows.count() / deviation;
      for (int64_t i = at; i < at + rows.inner(); ++i)
        out[i] = internal::narrow<T>(
            scale * (internal::widen(g[i]) - sum - (internal::widen(x[i]) - mean) * product));
    });
  });
}

}  // namespace

TESSERA_OP(batch_norm_train_grad) {
  return {
      .mindspore_name = "BatchNormGrad",
      .doc =
          "x' = gamma / d * (gradient - sum / m - (x - mean) / d * product / m) with d = "
          "sqrt(variance + epsilon) and m elements per mean; sum and product as "
          "batch_norm_sums_grad gives them.",
      .operands = {{"x"}, {"gamma"}, {"mean"}, {"variance"}, {"gradient"}, {"sum"}, {"product"}},
      .attrs = {internal::norm_epsilon_attr(), internal::groups_attr()},
      .rule =
          [](const OpCall& call) {
            const internal::BatchWords words = internal::batch_words(call);
            const std::string two = words.read + ", " + words.read;
            return words.x + ", d1, " + two + ", " + words.x + ", " + two + " -> " + words.x;
          },
      .check = [](const OpCall& call) { internal::check_batch_gradient(call, 4); },
      .kernels = {reference(batch_norm_train_grad_cpu)},
      .examples =
          {{.shapes = {{4, 3, 4, 5}, {3}, {1, 3}, {1, 3}, {4, 3, 4, 5}, {1, 3}, {1, 3}},
            .positive = true},
           {.shapes = {{6, 5}, {5}, {3, 5}, {3, 5}, {6, 5}, {3, 5}, {3, 5}},
            .attrs = {{"epsilon", 1e-3}, {"groups", 3}},
            .positive = true},
           {.shapes = {{4, 18, 3, 5}, {18}, {2, 18}, {2, 18}, {4, 18, 3, 5}, {2, 18}, {2, 18}},
            .attrs = {{"groups", 2}},
            .positive = true}},
  };
}

}  // namespace tessera
