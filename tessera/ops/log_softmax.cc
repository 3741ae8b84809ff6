#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/softmax_row.h"

namespace tessera {
namespace {

void log_softmax_cpu(const OpCall& call, std::span<const Tensor> operands,
                     std::span<Tensor> results) {
  internal::map_softmax_rows(
      call, operands, results,
      [](double x, const internal::SoftmaxRow& row) { return row.log_probability(x); });
}

}  // namespace

TESSERA_OP(log_softmax) {
  return {
      .mindspore_name = "LogSoftmax",
      .doc = "y = x - log(sum of e^x along the axis).",
      .operands = {{"x"}},
      .attrs = {{"axis", int64_t{-1}, "along which e^y sums to 1"}},
      .rule = internal::softmax_rule,
      .kernels = {reference(log_softmax_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 4, 3}}, {{"axis", 1}}}, {{{4, 3}}, {{"axis", 0}}}},
  };
}

}  // namespace tessera
