#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void sgd_update_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  const auto weight_decay = call.attr<double>("weight_decay");
  const bool nesterov = call.attr<bool>("nesterov");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto momentum = static_cast<Number>(call.attr<double>("momentum"));
    const auto fresh = static_cast<Number>(1 - call.attr<double>("dampening"));
    const auto rate = static_cast<Number>(internal::scalar_operand(operands, 4));
    internal::update_elements<T, 2>(operands, results, weight_decay, [&](auto& at) {
      if (momentum > 0) {
        at.states[0] =
            at.states[1] > 0 ? at.gradient : momentum * at.states[0] + fresh * at.gradient;
        at.states[1] = 0;
        at.gradient = nesterov ? at.gradient + momentum * at.states[0] : at.states[0];
      }
      at.parameter -= rate * at.gradient;
    });
  });
}

}  // namespace

TESSERA_OP(sgd_update) {
  return internal::update_op(
      {.mindspore_name = "SGD",
       .doc = "g = gradient + weight_decay * parameter; moment = momentum * moment + (1 - "
              "dampening) * g, at "
              "first (where `first` is not 0) g alone; parameter -= rate * moment, with nesterov "
              "rate * (g + "
              "momentum * moment), without momentum rate * g.",
       .states = {"moment", "first"},
       .scalars = {"rate"},
       .attrs = {{"momentum", 0.0, "how much of the moment stays"},
                 {"dampening", 0.0, "of the gradient in the moment"},
                 {"nesterov", false, "looks one step ahead"},
                 internal::kWeightDecay},
       .kernel = reference(sgd_update_cpu),
       .examples = {{{"momentum", 0.9}, {"dampening", 0.2}, {"weight_decay", 0.1}},
                    {{"momentum", 0.9}, {"nesterov", true}}}});
}

}  // namespace tessera
