#include <cmath>

#include "tessera/ops/internal/update.h"

namespace tessera {
namespace {

void adagrad_update_cpu(const OpCall& call, std::span<const Tensor> operands,
                        std::span<Tensor> results) {
  const auto weight_decay = call.attr<double>("weight_decay");
  const bool grows = call.attr<bool>("update_slots");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = internal::Wide<T>;
    const auto rate = static_cast<Number>(internal::scalar_operand(operands, 3));
    internal::update_elements<T, 1>(operands, results, weight_decay, [&](auto& at) {
      if (grows) at.states[0] += at.gradient * at.gradient;
      at.parameter -= rate * at.gradient / std::sqrt(at.states[0]);
    });
  });
}

}  // namespace

TESSERA_OP(adagrad_update) {
  return internal::update_op(
      {.mindspore_name = "ApplyAdagrad",
       .doc = "g = gradient + weight_decay * parameter; sum = sum + g^2 (unless update_slots is "
              "false); "
              "parameter -= rate * g / sqrt(sum).",
       .states = {"sum"},
       .scalars = {"rate"},
       .attrs = {{"update_slots", true, "whether the sum grows"}, internal::kWeightDecay},
       .kernel = reference(adagrad_update_cpu),
       .examples = {{{"update_slots", false}, {"weight_decay", 0.1}}}});
}

}  // namespace tessera
