#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"

namespace tessera {
namespace {

void equal_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  const Shape& shape = results[0].shape();
  internal::visit_number(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* a = operands[0].data<T>().data();
    const T* b = operands[1].data<T>().data();
    bool* y = results[0].mutable_data<bool>().data();
    internal::walk<2>(shape,
                      {internal::broadcast_strides(operands[0].shape(), shape),
                       internal::broadcast_strides(operands[1].shape(), shape)},
                      [&](const std::array<int64_t, 2>& at) {
                        *y++ = internal::widen(a[at[0]]) == internal::widen(b[at[1]]);
                      });
  });
}

}  // namespace

TESSERA_OP(equal) {
  return {
      .mindspore_name = "Equal",
      .doc = "Whether a is b, broadcast from the right; NaN is nothing's equal.",
      .operands = {{"a", DTypes::kNumber}, {"b", DTypes::kNumber}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .result_dtypes = [](const OpCall&) { return std::vector<DType>{DType::kBool}; },
      .kernels = {reference(equal_cpu)},
      .examples = {{.shapes = {{5, 7}, {5, 7}},
                    .dtypes = {DType::kI32, DType::kI32},
                    .index_limit = 2},
                   {{{2, 3, 4}, {3, 1}}},
                   {.shapes = {{4, 6}, {6}}, .dtypes = {DType::kI8, DType::kI8}, .index_limit = 3}},
  };
}

}  // namespace tessera
