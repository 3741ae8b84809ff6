#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void bias_add_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  const internal::AxisView view = internal::axis_view(operands[0].shape(), 1);
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = operands[0].data<T>().data();
    const T* bias = operands[1].data<T>().data();
    T* y = results[0].mutable_data<T>().data();
    for (int64_t n = 0; n < view.outer; ++n)
      for (int64_t c = 0; c < view.extent; ++c)
        for (int64_t i = 0; i < view.inner; ++i)
          *y++ = internal::narrow<T>(internal::widen(*x++) + internal::widen(bias[c]));
  });
}

void check_bias_add(const OpCall& call) {
  require(call.global(0).size() >= 2, "x is {}, bias_add wants at least [n,c]",
          shown(call.operands[0]));
}

Gradients bias_add_gradient(const GradientCall& call) {
  Gradients gradients(2, call.gradient());
  Ints axis = {0};
  for (size_t d = 2; d < call.gradient().shape().size(); ++d)
    axis.push_back(static_cast<int64_t>(d));
  if (call.wanted[1]) gradients[1] = reduce_sum(call.gradient(), {{"axis", axis}});
  return gradients;
}

}  // namespace

TESSERA_OP(bias_add) {
  return {
      .mindspore_name = "BiasAdd",
      .doc = "y[n,c,...] = x[n,c,...] + bias[c].",
      .operands = {{"x"}, {"bias"}},
      .rule =
          [](const OpCall& call) {
            const auto x = internal::spell(internal::dim_words(call.global(0).size()));
            return x + ", d1 -> " + x;
          },
      .check = check_bias_add,
      .gradient = bias_add_gradient,
      .kernels = {reference(bias_add_cpu)},
      .examples = {{{{2, 3, 4, 5}, {3}}}, {{{5, 4}, {4}}}, {{{0, 3, 2}, {3}}}},
  };
}

}  // namespace tessera
