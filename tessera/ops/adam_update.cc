#include <cmath>

#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void adam_update_cpu(const OpCall& call, std::span<const Tensor> operands,
                     std::span<Tensor> results) {
  const auto weight_decay = call.attr<double>("weight_decay");
  const bool nesterov = call.attr<bool>("nesterov");
  const double beta1_power = internal::scalar_operand(operands, 5);
  const double beta2_power = internal::scalar_operand(operands, 6);
  const double step =
      internal::scalar_operand(operands, 4) * std::sqrt(1 - beta2_power) / (1 - beta1_power);
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto beta1 = static_cast<Number>(call.attr<double>("beta1"));
    const auto beta2 = static_cast<Number>(call.attr<double>("beta2"));
    const auto epsilon = static_cast<Number>(call.attr<double>("epsilon"));
    const auto rate = static_cast<Number>(step);
    internal::update_elements<T, 2>(operands, results, weight_decay, [&](auto& at) {
      const Number g = at.gradient;
      Number& m = at.states[0];
      Number& v = at.states[1];
      m += (g - m) * (1 - beta1);
      v += (g * g - v) * (1 - beta2);
      const Number ahead = nesterov ? beta1 * m + (1 - beta1) * g : m;
      at.parameter -= rate * ahead / (std::sqrt(v) + epsilon);
    });
  });
}

}  // namespace

TESSERA_OP(adam_update) {
  return internal::update_op({.mindspore_name = "Adam",
                              .doc = "g = gradient + weight_decay * parameter; m = beta1 * m + (1 "
                                     "- beta1) * g; v = beta2 * v + (1 - "
                                     "beta2) * g^2; parameter -= rate * sqrt(1 - beta2_power) / (1 "
                                     "- beta1_power) * m / (sqrt(v) + "
                                     "epsilon), with nesterov beta1 * m + (1 - beta1) * g for m.",
                              .states = {"m", "v"},
                              .scalars = {"rate", "beta1_power", "beta2_power"},
                              .attrs = {{"beta1", 0.9, "how much of m stays"},
                                        {"beta2", 0.999, "how much of v stays"},
                                        {"epsilon", 1e-8, "added to the root of v"},
                                        {"nesterov", false, "looks one step ahead"},
                                        internal::kWeightDecay},
                              .kernel = reference(adam_update_cpu),
                              .examples = {{{"nesterov", true}, {"weight_decay", 0.1}}}});
}

}  // namespace tessera
