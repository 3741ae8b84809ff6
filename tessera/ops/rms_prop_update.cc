#include <cmath>

#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void rms_prop_update_cpu(const OpCall& call, std::span<const Tensor> operands,
                         std::span<Tensor> results) {
  const auto weight_decay = call.attr<double>("weight_decay");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto decay = static_cast<Number>(call.attr<double>("decay"));
    const auto momentum = static_cast<Number>(call.attr<double>("momentum"));
    const auto epsilon = static_cast<Number>(call.attr<double>("epsilon"));
    const auto rate = static_cast<Number>(internal::scalar_operand(operands, 4));
    internal::update_elements<T, 2>(operands, results, weight_decay, [&](auto& at) {
      Number& square = at.states[0];
      square += (at.gradient * at.gradient - square) * (1 - decay);
      at.states[1] = momentum * at.states[1] + rate * at.gradient / std::sqrt(square + epsilon);
      at.parameter -= at.states[1];
    });
  });
}

}  // namespace

TESSERA_OP(rms_prop_update) {
  return internal::update_op({.mindspore_name = "ApplyRMSProp",
                              .doc = "g = gradient + weight_decay * parameter; mean_square = decay "
                                     "* mean_square + (1 - decay) * g^2; "
                                     "moment = momentum * moment + rate * g / sqrt(mean_square + "
                                     "epsilon); parameter -= moment.",
                              .states = {"mean_square", "moment"},
                              .scalars = {"rate"},
                              .attrs = {{"decay", 0.9, "how much of the mean stays"},
                                        {"momentum", 0.0, "how much of the moment stays"},
                                        {"epsilon", 1e-10, "added to the mean"},
                                        internal::kWeightDecay},
                              .kernel = reference(rms_prop_update_cpu),
                              .examples = {{{"momentum", 0.5}, {"weight_decay", 0.1}}}});
}

}  // namespace tessera
