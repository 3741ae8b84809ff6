#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/softmax_row.h"

namespace tessera {
namespace {

void sparse_softmax_cross_entropy_grad_cpu(const OpCall&, std::span<const Tensor> operands,
                                           std::span<Tensor> results) {
  const int64_t rows = operands[0].shape()[0];
  const int64_t classes = operands[0].shape()[1];
  const Tensor labels = operands[1].cast(DType::kI64);
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* row = operands[0].data<T>().data();
    const std::span<const T> gradient = operands[2].data<T>();
    T* out = results[0].mutable_data<T>().data();
    for (int64_t n = 0; n < rows; ++n, row += classes) {
      const int64_t label = internal::label_of(labels, n, classes);
      const double scale = internal::widen(gradient[static_cast<size_t>(n)]);
      const internal::SoftmaxRow stats = internal::softmax_row(row, classes, 1);
      for (int64_t c = 0; c < classes; ++c) {
        const double share = std::exp(internal::widen(row[c]) - stats.top) / stats.sum;
        *out++ = internal::narrow<T>(scale * (share - (c == label ? 1 : 0)));
      }
    }
  });
}

}  // namespace

TESSERA_OP(sparse_softmax_cross_entropy_grad) {
  return {
      .mindspore_name = "SparseSoftmaxCrossEntropyWithLogits(is_grad=True)",
      .doc =
          "logits'[n,c] = gradient[n] * (softmax(logits)[n,c] - (1 where c is labels[n], 0 "
          "elsewhere)); a label outside [0,c) is an error.",
      .operands = {{"logits"}, {"labels", DTypes::kIndex}, {"gradient"}},
      .rule = OpDef::fixed_rule("n [c], n, n -> n c"),
      .kernels = {reference(sparse_softmax_cross_entropy_grad_cpu)},
      .examples =
          {{.shapes = {{4, 5}, {4}, {4}}, .dtypes = {DType::kF32, DType::kI32}, .index_limit = 5},
           {.shapes = {{3, 7}, {3}, {3}}, .dtypes = {DType::kF32, DType::kI64}, .index_limit = 7},
           {.shapes = {{0, 3}, {0}, {0}}, .dtypes = {DType::kF32, DType::kI32}, .index_limit = 3}},
  };
}

}  // namespace tessera
