#include <cmath>

#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/ops.h"

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
          shown(call.operands[0]));
}

std::string batch_norm_rule(const OpCall& call) {
  const std::string x = internal::spell(internal::dim_words(call.global(0).size()));
  return x + ", d1, d1, d1, d1 -> " + x;
}

Gradients batch_norm_gradient(const GradientCall& call) {
  const Value x = call.operands[0], gamma = call.operands[1], mean = call.operands[3];
  const Value g = call.gradient();
  const size_t ndim = x.shape().size();
  Ints of_channel(ndim - 1, 1);
  of_channel[0] = gamma.shape()[0];
  Ints summed = {0};
  for (size_t d = 2; d < ndim; ++d) summed.push_back(static_cast<int64_t>(d));
  const auto along_x = [&](Value v) { return reshape(v, {{"shape", of_channel}}); };
  const auto sum = [&](Value v) { return reduce_sum(v, {{"axis", summed}}); };
  const Value deviation =
      sqrt(add(call.operands[4], internal::scalar(call.attr<double>("epsilon"), x)));
  const Value scale = div(gamma, deviation);
  const Value centred = sum(mul(g, sub(x, along_x(mean))));
  const Value total = sum(g);
  const Value of_gamma = div(centred, deviation);
  const Value of_variance = div(mul(of_gamma, scale), mul(deviation, internal::scalar(-2, x)));
  return {mul(g, along_x(scale)), of_gamma, total, neg(mul(total, scale)), of_variance};
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
      .gradient = batch_norm_gradient,
      .kernels = {reference(batch_norm_cpu)},
      .examples = {{.shapes = {{2, 3, 4, 5}, {3}, {3}, {3}, {3}}, .positive = true},
                   {.shapes = {{4, 5}, {5}, {5}, {5}, {5}},
                    .attrs = {{"epsilon", 1e-3}},
                    .positive = true}},
  };
}

}  // namespace tessera
