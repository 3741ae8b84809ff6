#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera {
namespace {

void batch_norm_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  const internal::AxisView view = internal::axis_view(operands[0].shape(), 1);
  const auto epsilon = call.attr<double>("epsilon");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = operands[0].data<T>().data();
    T* y = results[0].mutable_data<T>().data();
    const auto value = [&](size_t operand, int64_t c) -> double {
      return internal::widen(operands[operand].data<T>()[static_cast<size_t>(c)]);
    };
    for (int64_t n = 0; n < view.outer; ++n) {
      for (int64_t c = 0; c < view.extent; ++c) {
        const double gamma = value(1, c), beta = value(2, c), mean = value(3, c);
        const double deviation = std::sqrt(value(4, c) + epsilon);
        for (int64_t i = 0; i < view.inner; ++i)
          *y++ = internal::narrow<T>((internal::widen(*x++) - mean) / deviation * gamma + beta);
      }
    }
  });
}

void check_batch_norm(const OpCall& call) {
  require(call.global(0).size() >= 2, "x is {}, batch_norm wants at least [n,c]",
          to_string(call.operands[0]));
}

std::string batch_norm_rule(const OpCall& call) {
  const std::string x = internal::spell(internal::dim_words(call.global(0).size()));
  return x + ", d1, d1, d1, d1 -> " + x;
}

}  // namespace

TESSERA_OP(batch_norm) {
  return {
      .mindspore_name = "BatchNorm2d",
      .doc =
          "y[n,c,...] = (x[n,c,...] - mean[c]) / sqrt(variance[c] + epsilon) * gamma[c] + "
          "beta[c]: with the statistics that training left.",
      .operands = {{"x"}, {"gamma"}, {"beta"}, {"mean"}, {"variance"}},
      .attrs = {{"epsilon", 1e-5, "added to the variance"}},
      .rule = batch_norm_rule,
      .check = check_batch_norm,
      .kernels = {reference(batch_norm_cpu)},
      .examples = {{.shapes = {{2, 3, 4, 5}, {3}, {3}, {3}, {3}}, .positive = true},
                   {.shapes = {{4, 5}, {5}, {5}, {5}, {5}},
                    .attrs = {{"epsilon", 1e-3}},
                    .positive = true}},
  };
}

}  // namespace tessera
