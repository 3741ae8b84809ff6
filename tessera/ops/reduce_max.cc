#include <limits>

#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/reduction.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void reduce_max_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  internal::visit_number(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    constexpr Number kLeast = std::is_floating_point_v<Number>
                                  ? -std::numeric_limits<Number>::infinity()
                                  : std::numeric_limits<Number>::lowest();
    const std::span<T> y = results[0].mutable_data<T>();
    std::vector<Number> tops(y.size(), kLeast);
    internal::reduce_into<T>(call, operands[0], tops,
                             [](Number top, Number x) { return x > top ? x : top; });
    for (size_t i = 0; i < y.size(); ++i) y[i] = internal::narrow<T>(tops[i]);
  });
}

void check_reduce_max(const OpCall& call) {
  require(internal::reduced_count(call) > 0, "{} has no elements to take the maximum of",
          shown(call.operands[0]));
}

/// Equal elements share the gradient, as in MindSpore.
Gradients reduce_max_gradient(const GradientCall& call) {
  const Value x = call.operands[0];
  const Ints& axis = call.attr<Ints>("axis");
  const Value largest = internal::spread_as(call.results[0], x, axis);
  const Value here = cast(equal(x, largest), {{"dtype", std::string(to_string(x.dtype()))}});
  const Value count =
      reduce_sum(here, {{"axis", axis}, {"keep_dims", call.attr<bool>("keep_dims")}});
  return {mul(here, internal::spread_as(div(call.gradient(), count), x, axis))};
}

}  // namespace

TESSERA_OP(reduce_max) {
  return {
      .mindspore_name = "ReduceMax",
      .doc = "The largest element over the axes; NaN counts as none.",
      .operands = {{"x", DTypes::kNumber}},
      .attrs = internal::reduction_attrs(),
      .rule = [](const OpCall& call) { return internal::reduction_rule(call, "max:"); },
      .check = check_reduce_max,
      .gradient = reduce_max_gradient,
      .kernels = {reference(reduce_max_cpu)},
      .examples = {{{{5, 7}}},
                   {{{2, 3, 4, 5}}, {{"axis", Ints{2, 3}}, {"keep_dims", true}}},
                   {{{2, 3, 4}}, {{"axis", Ints{1}}}},
                   {.shapes = {{4, 6}}, .attrs = {{"axis", 0}}, .dtypes = {DType::kI8}}},
  };
}

}  // namespace tessera
