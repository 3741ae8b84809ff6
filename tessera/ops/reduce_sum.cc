#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/reduction.h"

namespace tessera {
namespace {

void reduce_sum_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  internal::visit_number(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Sum = std::conditional_t<internal::kIsInteger<T>, uint64_t, double>;
    const std::span<T> y = results[0].mutable_data<T>();
    std::vector<Sum> sums(y.size(), Sum(0));
    internal::reduce_into<T>(call, operands[0], sums,
                             [](Sum sum, auto x) { return sum + static_cast<Sum>(x); });
    for (size_t i = 0; i < y.size(); ++i) y[i] = internal::narrow<T>(sums[i]);
  });
}

}  // namespace

TESSERA_OP(reduce_sum) {
  return {
      .mindspore_name = "ReduceSum",
      .doc = "The sum over the axes; integers wrap around.",
      .operands = {{"x", DTypes::kNumber}},
      .attrs = internal::reduction_attrs(),
      .rule = [](const OpCall& call) { return internal::reduction_rule(call, ""); },
      .gradient = [](const GradientCall& call) -> Gradients {
        return {internal::spread_as(call.gradient(), call.operands[0], call.attr<Ints>("axis"))};
      },
      .kernels = {reference(reduce_sum_cpu)},
      .examples = {{{{5, 7}}},
                   {{{2, 3, 4, 5}}, {{"axis", Ints{2, 3}}, {"keep_dims", true}}},
                   {{{2, 3, 4}}, {{"axis", Ints{-2}}}},
                   {.shapes = {{4, 6}}, .attrs = {{"axis", 0}}, .dtypes = {DType::kI32}}},
  };
}

}  // namespace tessera
