#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"

namespace tessera {
namespace {

void sub_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::map_broadcast(operands, results, [](auto a, auto b) { return a - b; });
}

}  // namespace

TESSERA_OP(sub) {
  return {
      .mindspore_name = "Sub",
      .doc = "y = a - b, broadcast from the right; integers wrap around.",
      .operands = {{"a", DTypes::kMixed}, {"b", DTypes::kMixed}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .result_dtypes = internal::promoted_dtype,
      .kernels = {reference(sub_cpu)},
      .examples = {{{{5, 7}, {5, 7}}},
                   {{{2, 3, 4}, {3, 1}}},
                   {{{4, 1, 3}, {2, 1}}},
                   {{{3, 4}, {}}},
                   {.shapes = {{6, 2}, {2}}, .dtypes = {DType::kI32, DType::kI32}},
                   {.shapes = {{2, 3}, {3}}, .dtypes = {DType::kF16, DType::kF32}}},
  };
}

}  // namespace tessera
