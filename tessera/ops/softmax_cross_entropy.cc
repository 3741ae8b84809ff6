#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/softmax_row.h"

namespace tessera {
namespace {

void softmax_cross_entropy_cpu(const OpCall&, std::span<const Tensor> operands,
                               std::span<Tensor> results) {
  const int64_t rows = operands[0].shape()[0];
  const int64_t classes = operands[0].shape()[1];
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* row = operands[0].data<T>().data();
    const T* labels = operands[1].data<T>().data();
    T* loss = results[0].mutable_data<T>().data();
    for (int64_t n = 0; n < rows; ++n, row += classes, labels += classes) {
      const internal::SoftmaxRow stats = internal::softmax_row(row, classes, 1);
      double sum = 0;
      for (int64_t c = 0; c < classes; ++c)
        sum -= internal::widen(labels[c]) * stats.log_probability(internal::widen(row[c]));
      loss[n] = internal::narrow<T>(sum);
    }
  });
}

}  // namespace

TESSERA_OP(softmax_cross_entropy) {
  return {
      .mindspore_name = "SoftmaxCrossEntropyWithLogits",
      .doc = "loss[n] = -(sum over c of labels[n,c] * log(softmax(logits)[n,c])).",
      .operands = {{"logits"}, {"labels"}},
      .rule = OpDef::fixed_rule("n [c], n [c] -> n"),
      .kernels = {reference(softmax_cross_entropy_cpu)},
      .examples = {{{{4, 5}, {4, 5}}}, {{{7, 3}, {7, 3}}}},
  };
}

}  // namespace tessera
