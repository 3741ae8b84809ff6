#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/softmax_row.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void sparse_softmax_cross_entropy_cpu(const OpCall&, std::span<const Tensor> operands,
                                      std::span<Tensor> results) {
  const int64_t rows = operands[0].shape()[0];
  const int64_t classes = operands[0].shape()[1];
  const Tensor labels = operands[1].cast(DType::kI64);
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* row = operands[0].data<T>().data();
    const std::span<T> loss = results[0].mutable_data<T>();
    for (int64_t n = 0; n < rows; ++n, row += classes) {
      const int64_t label = internal::label_of(labels, n, classes);
      const internal::SoftmaxRow stats = internal::softmax_row(row, classes, 1);
      loss[static_cast<size_t>(n)] =
          internal::narrow<T>(-stats.log_probability(internal::widen(row[label])));
    }
  });
}

}  // namespace

TESSERA_OP(sparse_softmax_cross_entropy) {
  return {
      .mindspore_name = "SoftmaxCrossEntropyWithLogits(sparse=True)",
      .doc =
          "loss[n] = log(sum over c of e^logits[n,c]) - logits[n,labels[n]]; a label outside "
          "[0,c) is an error.",
      .operands = {{"logits"}, {"labels", DTypes::kIndex}},
      .rule = OpDef::fixed_rule("n [c], n -> n"),
      .gradient = [](const GradientCall& call) -> Gradients {
        return {
            sparse_softmax_cross_entropy_grad(call.operands[0], call.operands[1], call.gradient())};
      },
      .kernels = {reference(sparse_softmax_cross_entropy_cpu)},
      .examples =
          {{.shapes = {{4, 5}, {4}}, .dtypes = {DType::kF32, DType::kI32}, .index_limit = 5},
           {.shapes = {{3, 7}, {3}}, .dtypes = {DType::kF32, DType::kI64}, .index_limit = 7}},
  };
}

}  // namespace tessera
