#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/softmax_row.h"
#include "tessera/ops/ops.h"

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

Gradients softmax_cross_entropy_gradient(const GradientCall& call) {
  const Value logits = call.operands[0], labels = call.operands[1];
  const int64_t rows = logits.shape()[0];
  const Value scale = reshape(call.gradient(), {{"shape", Ints{rows, 1}}});
  Gradients gradients(2);
  if (call.wanted[0]) {
    const Value total = reduce_sum(labels, {{"axis", 1}, {"keep_dims", true}});
    gradients[0] = mul(sub(mul(softmax(logits), total), labels), scale);
  }
  if (call.wanted[1]) gradients[1] = neg(mul(log_softmax(logits), scale));
  return gradients;
}

}  // namespace

TESSERA_OP(softmax_cross_entropy) {
  return {
      .mindspore_name = "SoftmaxCrossEntropyWithLogits",
      .doc = "loss[n] = -(sum over c of labels[n,c] * log(softmax(logits)[n,c])).",
      .operands = {{"logits"}, {"labels"}},
      .rule = OpDef::fixed_rule("n [c], n [c] -> n"),
      .gradient = softmax_cross_entropy_gradient,
      .kernels = {reference(softmax_cross_entropy_cpu)},
      .examples = {{{{4, 5}, {4, 5}}}, {{{7, 3}, {7, 3}}}},
  };
}

}  // namespace tessera
