#include <cmath>

#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void adam_weight_decay_update_cpu(const OpCall& call, std::span<const Tensor> operands,
                                  std::span<Tensor> results) {
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto beta1 = static_cast<Number>(call.attr<double>("beta1"));
    const auto beta2 = static_cast<Number>(call.attr<double>("beta2"));
    const auto epsilon = static_cast<Number>(call.attr<double>("epsilon"));
    const auto decay = static_cast<Number>(call.attr<double>("weight_decay"));
    const auto rate = static_cast<Number>(internal::scalar_operand(operands, 4));
    internal::update_elements<T, 2>(operands, results, 0, [&](auto& at) {
      Number& m = at.states[0];
      Number& v = at.states[1];
      m += (at.gradient - m) * (1 - beta1);
      v += (at.gradient * at.gradient - v) * (1 - beta2);
      at.parameter -= rate * (m / (epsilon + std::sqrt(v)) + decay * at.parameter);
    });
  });
}

}  // namespace

TESSERA_OP(adam_weight_decay_update) {
  return internal::update_op(
      {.mindspore_name = "AdamWeightDecay",
       .doc = "m = beta1 * m + (1 - beta1) * gradient; v = beta2 * v + (1 - beta2) * gradient^2; "
              "parameter -= "
              "rate * (m / (sqrt(v) + epsilon) + weight_decay * parameter).",
       .states = {"m", "v"},
       .scalars = {"rate"},
       .attrs = {{"beta1", 0.9, "how much of m stays"},
                 {"beta2", 0.999, "how much of v stays"},
                 {"epsilon", 1e-6, "added to the root of v"},
                 {"weight_decay", 0.0, "times the parameter, added to the step"}},
       .kernel = reference(adam_weight_decay_update_cpu),
       .examples = {{{"weight_decay", 0.1}}}});
}

}  // namespace tessera
