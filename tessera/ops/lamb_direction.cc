#include <cmath>

#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void lamb_direction_cpu(const OpCall& call, std::span<const Tensor> operands,
                        std::span<Tensor> results) {
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto beta1 = static_cast<Number>(call.attr<double>("beta1"));
    const auto beta2 = static_cast<Number>(call.attr<double>("beta2"));
    const auto epsilon = static_cast<Number>(call.attr<double>("epsilon"));
    const auto decay = static_cast<Number>(call.attr<double>("weight_decay"));
    const auto left1 = static_cast<Number>(1 - internal::scalar_operand(operands, 5));
    const auto left2 = static_cast<Number>(1 - internal::scalar_operand(operands, 6));
    internal::update_elements<T, 2>(operands, results, 0, [&](auto& at) {
      Number& m = at.states[0];
      Number& v = at.states[1];
      m = beta1 * m + (1 - beta1) * at.gradient;
      v = beta2 * v + (1 - beta2) * (at.gradient * at.gradient);
      at.parameter = (m / left1) / (std::sqrt(v / left2) + epsilon) + decay * at.parameter;
    });
  });
}

}  // namespace

TESSERA_OP(lamb_direction) {
  return internal::update_op(
      {.mindspore_name = "LambNextMV",
       .doc = "m = beta1 * m + (1 - beta1) * gradient; v = beta2 * v + (1 - beta2) * gradient^2; "
              "gives m / (1 - "
              "beta1_power) / (sqrt(v / (1 - beta2_power)) + epsilon) + weight_decay * parameter, "
              "m and v.",
       .states = {"m", "v"},
       .scalars = {"rate", "beta1_power", "beta2_power"},
       .attrs = {{"beta1", 0.9, "how much of m stays"},
                 {"beta2", 0.999, "how much of v stays"},
                 {"epsilon", 1e-6, "added to the root of v"},
                 {"weight_decay", 0.0, "times the parameter, added to the direction"}},
       .kernel = reference(lamb_direction_cpu),
       .examples = {{{"weight_decay", 0.1}}}});
}

}  // namespace tessera
