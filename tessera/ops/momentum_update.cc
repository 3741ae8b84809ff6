#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void momentum_update_cpu(const OpCall& call, std::span<const Tensor> operands,
                         std::span<Tensor> results) {
  const auto weight_decay = call.attr<double>("weight_decay");
  const bool nesterov = call.attr<bool>("nesterov");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto momentum = static_cast<Number>(call.attr<double>("momentum"));
    const auto rate = static_cast<Number>(internal::scalar_operand(operands, 3));
    internal::update_elements<T, 1>(operands, results, weight_decay, [&](auto& at) {
      at.states[0] = momentum * at.states[0] + at.gradient;
      at.parameter -= rate * (nesterov ? at.gradient + momentum * at.states[0] : at.states[0]);
    });
  });
}

}  // namespace

TESSERA_OP(momentum_update) {
  return internal::update_op({.mindspore_name = "ApplyMomentum",
                              .doc = "g = gradient + weight_decay * parameter; moment = momentum * "
                                     "moment + g; parameter -= rate * "
                                     "moment, with nesterov rate * (g + momentum * moment).",
                              .states = {"moment"},
                              .scalars = {"rate"},
                              .attrs = {{"momentum", 0.9, "how much of the moment stays"},
                                        {"nesterov", false, "looks one step ahead"},
                                        internal::kWeightDecay},
                              .kernel = reference(momentum_update_cpu),
                              .examples = {{{"nesterov", true}, {"weight_decay", 0.1}}}});
}

}  // namespace tessera
