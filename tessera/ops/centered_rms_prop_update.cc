#include <cmath>

#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void centered_rms_prop_update_cpu(const OpCall& call, std::span<const Tensor> operands,
                                  std::span<Tensor> results) {
  const auto weight_decay = call.attr<double>("weight_decay");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto decay = static_cast<Number>(call.attr<double>("decay"));
    const auto momentum = static_cast<Number>(call.attr<double>("momentum"));
    const auto epsilon = static_cast<Number>(call.attr<double>("epsilon"));
    const auto rate = static_cast<Number>(internal::scalar_operand(operands, 5));
    internal::update_elements<T, 3>(operands, results, weight_decay, [&](auto& at) {
      Number& mean = at.states[0];
      Number& square = at.states[1];
      mean += (at.gradient - mean) * (1 - decay);
      square += (at.gradient * at.gradient - square) * (1 - decay);
      const Number deviation = std::sqrt(square - mean * mean + epsilon);
      at.states[2] = momentum * at.states[2] + rate * at.gradient / deviation;
      at.parameter -= at.states[2];
    });
  });
}

}  // namespace

TESSERA_OP(centered_rms_prop_update) {
  return internal::update_op(
      {.mindspore_name = "ApplyCenteredRMSProp",
       .doc = "rms_prop_update whose mean_square is less the square of the mean gradient: the "
              "variance.",
       .states = {"mean_gradient", "mean_square", "moment"},
       .scalars = {"rate"},
       .attrs = {{"decay", 0.9, "how much of the means stays"},
                 {"momentum", 0.0, "how much of the moment stays"},
                 {"epsilon", 1e-10, "added to the variance"},
                 internal::kWeightDecay},
       .kernel = reference(centered_rms_prop_update_cpu),
       .examples = {{{"momentum", 0.5}, {"weight_decay", 0.1}, {"epsilon", 3.0}}}});
}

}  // namespace tessera
