#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/softmax_row.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void softmax_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_softmax_rows(
      call, operands, results,
      [](double x, const internal::SoftmaxRow& row) { return std::exp(x - row.top) / row.sum; });
}

Gradients softmax_gradient(const GradientCall& call) {
  const Value y = call.results[0];
  const Value weighed = mul(call.gradient(), y);
  const Value sum =
      reduce_sum(weighed, {{"axis", call.attr<int64_t>("axis")}, {"keep_dims", true}});
  return {sub(weighed, mul(y, sum))};
}

}  // namespace

TESSERA_OP(softmax) {
  return {
      .mindspore_name = "Softmax",
      .doc = "y = e^x / (sum of e^x along the axis).",
      .operands = {{"x"}},
      .attrs = {{"axis", int64_t{-1}, "along which the results sum to 1"}},
      .rule = internal::softmax_rule,
      .gradient = softmax_gradient,
      .kernels = {reference(softmax_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 4, 3}}, {{"axis", 1}}}, {{{4, 3}}, {{"axis", 0}}}},
  };
}

}  // namespace tessera
