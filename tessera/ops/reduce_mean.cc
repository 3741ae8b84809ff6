#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/reduction.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

/// Every rank divides its sum by the count of the whole, so that partial results add up.
void reduce_mean_cpu(const OpCall& call, std::span<const Tensor> operands,
                     std::span<Tensor> results) {
  const auto count = static_cast<double>(internal::reduced_count(call));
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<T> y = results[0].mutable_data<T>();
    std::vector<double> sums(y.size(), 0.0);
    internal::reduce_into<T>(call, operands[0], sums, [](double sum, auto x) { return sum + x; });
    for (size_t i = 0; i < y.size(); ++i) y[i] = internal::narrow<T>(sums[i] / count);
  });
}

Gradients reduce_mean_gradient(const GradientCall& call) {
  const Value x = call.operands[0];
  const double count = static_cast<double>(element_count(x.shape())) /
                       static_cast<double>(element_count(call.results[0].shape()));
  const Value share = div(call.gradient(), internal::scalar(count, x));
  return {internal::spread_as(share, x, call.attr<Ints>("axis"))};
}

}  // namespace

TESSERA_OP(reduce_mean) {
  return {
      .mindspore_name = "ReduceMean",
      .doc = "The sum over the axes, divided by how many elements that is; NaN for none.",
      .operands = {{"x"}},
      .attrs = internal::reduction_attrs(),
      .rule = [](const OpCall& call) { return internal::reduction_rule(call, ""); },
      .gradient = reduce_mean_gradient,
      .kernels = {reference(reduce_mean_cpu)},
      .examples = {{{{5, 7}}},
                   {{{2, 3, 4, 5}}, {{"axis", Ints{2, 3}}, {"keep_dims", true}}},
                   {{{2, 3, 4}}, {{"axis", Ints{1}}}}},
  };
}

}  // namespace tessera
