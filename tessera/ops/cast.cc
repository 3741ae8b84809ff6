#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

DType target_dtype(const OpCall& call) {
  return parse_dtype(call.attr<std::string>("dtype"));
}

void cast_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  copy_elements(operands[0].cast(target_dtype(call)), results[0]);
}

void check_cast(const OpCall& call) {
  const DType dtype = target_dtype(call);
  require(accepts(DTypes::kMixed, dtype), "nothing can be cast to {}, only to {}", shown(dtype),
          to_string(DTypes::kMixed));
}

}  // namespace

TESSERA_OP(cast) {
  return {
      .mindspore_name = "Cast",
      .doc =
          "x in another dtype: to f16 and bf16 rounded to nearest even, to integers cut towards "
          "zero, to bool whether it is not zero.",
      .operands = {{"x", DTypes::kMixed}},
      .attrs = {{"dtype", "f32", "the new dtype in Tessera's spelling"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .result_dtypes = [](const OpCall& call) { return std::vector<DType>{target_dtype(call)}; },
      .check = check_cast,
      .gradient = [](const GradientCall& call) -> Gradients {
        return {
            cast(call.gradient(), {{"dtype", std::string(to_string(call.operands[0].dtype()))}})};
      },
      .kernels = {reference(cast_cpu)},
      .examples = {{{{5, 7}}, {{"dtype", "f16"}}},
                   {{{5, 7}}, {{"dtype", "i32"}}},
                   {{{2, 3, 4}}, {{"dtype", "f64"}}},
                   {.shapes = {{2, 3}}, .dtypes = {DType::kI64}, .index_limit = 9},
                   {.shapes = {{6}}, .attrs = {{"dtype", "bool"}}, .dtypes = {DType::kBF16}}},
  };
}

}  // namespace tessera
