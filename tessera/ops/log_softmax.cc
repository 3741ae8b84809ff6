#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/softmax_row.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void log_softmax_cpu(const OpCall& call, std::span<const Tensor> operands,
                     std::span<Tensor> results) {
  internal::map_softmax_rows(
      call, operands, results,
      [](double x, const internal::SoftmaxRow& row) { return row.log_probability(x); });
}

Gradients log_softmax_gradient(const GradientCall& call) {
  const Value sum =
      reduce_sum(call.gradient(), {{"axis", call.attr<int64_t>("axis")}, {"keep_dims", true}});
  return {sub(call.gradient(), mul(exp(call.results[0]), sum))};
}

}  // namespace

TESSERA_OP(log_softmax) {
  return {
      .mindspore_name = "LogSoftmax",
      .doc = "y = x - log(sum of e^x along the axis).",
      .operands = {{"x"}},
      .attrs = {{"axis", int64_t{-1}, "along which e^y sums to 1"}},
      .rule = internal::softmax_rule,
      .gradient = log_softmax_gradient,
      .kernels = {reference(log_softmax_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 4, 3}}, {{"axis", 1}}}, {{{4, 3}}, {{"axis", 0}}}},
  };
}

}  // namespace tessera
