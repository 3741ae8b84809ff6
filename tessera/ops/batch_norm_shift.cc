#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera {
namespace {

void batch_norm_shift_cpu(const OpCall& call, std::span<const Tensor> operands,
                          std::span<Tensor> results) {
  const bool has_bias = call.operand_count() > 3;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto value = [&](size_t operand, size_t c) -> double {
      return internal::widen(operands[operand].data<T>()[c]);
    };
    const std::span<T> shift = results[0].mutable_data<T>();
    for (size_t c = 0; c < shift.size(); ++c) {
      const double centred = (has_bias ? value(3, c) : 0.0) - value(1, c);
      shift[c] = internal::narrow<T>(centred * value(2, c) + value(0, c));
    }
  });
}

}  // namespace

TESSERA_OP(batch_norm_shift) {
  return {
      .doc =
          "shift[c] = (bias[c] - mean[c]) * scale[c] + beta[c]: what batch_norm leaves to be added, "
          "with the bias of the product before it, if that has one.",
      .operands = {{"beta"}, {"mean"}, {"scale"}, {.name = "bias", .optional = true}},
      .rule = [](const OpCall& call) -> std::string {
        return call.operand_count() > 3 ? "d0, d0, d0, d0 -> d0" : "d0, d0, d0 -> d0";
      },
      .kernels = {reference(batch_norm_shift_cpu)},
      .examples = {{.shapes = {{6}, {6}, {6}}}, {.shapes = {{5}, {5}, {5}, {5}}}},
  };
}

}  // namespace tessera
