#include <cmath>

#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void lamb_update_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  const double of_parameter = internal::scalar_operand(operands, 3);
  const double of_direction = internal::scalar_operand(operands, 4);
  const bool both = of_parameter > 0 && of_direction > 0;
  const double step = internal::scalar_operand(operands, 2) *
                      (both ? std::sqrt(of_parameter) / std::sqrt(of_direction) : 1.0);
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto rate = static_cast<Number>(step);
    internal::update_elements<T, 0>(operands, results, 0,
                                    [&](auto& at) { at.parameter -= rate * at.gradient; });
  });
}

}  // namespace

TESSERA_OP(lamb_update) {
  return internal::update_op(
      {.mindspore_name = "LambUpdateWithLrV2",
       .doc = "parameter -= rate * ratio * direction (the second operand); ratio is the root of "
              "square1 / square2, the sums of the "
              "squares of the parameter and of the direction, and 1 where one of them is 0.",
       .states = {},
       .scalars = {"rate", "square1", "square2"},
       .attrs = {},
       .kernel = reference(lamb_update_cpu),
       .examples = {}});
}

}  // namespace tessera
