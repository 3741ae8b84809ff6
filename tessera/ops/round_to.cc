#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

DType rounded_dtype(const OpCall& call) {
  return parse_dtype(call.attr<std::string>("dtype"));
}

void round_to_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const bool is_f16 = rounded_dtype(call) == DType::kF16;
  internal::map_floating(operands, results, [=](auto x) {
    const auto narrow = static_cast<float>(x);
    return static_cast<decltype(x)>(is_f16 ? static_cast<float>(Half(narrow))
                                           : static_cast<float>(BFloat16(narrow)));
  });
}

void check_round_to(const OpCall& call) {
  const DType dtype = rounded_dtype(call);
  require(dtype == DType::kF16 || dtype == DType::kBF16,
          "numbers are rounded to f16 or bf16, not {}", shown(dtype));
}

}  // namespace

TESSERA_OP(round_to) {
  return {
      .mindspore_name = "Cast",
      .doc =
          "x rounded to what another dtype can hold, to nearest even, in its own dtype: cast there "
          "and back. Its gradient is rounded too.",
      .operands = {{"x"}},
      .attrs = {{"dtype", "bf16", "f16 or bf16"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .check = check_round_to,
      .gradient = [](const GradientCall& call) -> Gradients {
        return {round_to(call.gradient(), call.attrs)};
      },
      .kernels = {reference(round_to_cpu)},
      .examples = {{{{5, 7}}}, {{{2, 3, 5, 5}}, {{"dtype", "f16"}}}, {{{}}}},
  };
}

}  // namespace tessera
