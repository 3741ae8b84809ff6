#include "tessera/ops/ops.h"
#include "tessera/ops/registry.h"
#include "tessera/train/define_optimizer.h"

namespace {

using namespace tessera;

std::vector<Value> lamb_update_of(const UpdateCall& call) {
  Graph& graph = *call.parameter.graph;
  const Attrs attrs = {{"beta1", call.options.at("beta1")},
                       {"beta2", call.options.at("beta2")},
                       {"epsilon", call.options.at("eps")},
                       {"weight_decay", call.weight_decay}};
  const std::vector<ValueId> made =
      graph.emit(require_op("lamb_direction"),
                 {call.parameter.id, call.gradient.id, call.states[0].id, call.states[1].id,
                  call.rate.id, call.powers[0].id, call.powers[1].id},
                 attrs, graph.scope);
  const Value direction{&graph, made[0]};
  const auto squares = [](Value x) { return cast(reduce_sum(mul(x, x)), {{"dtype", "f32"}}); };
  const Value parameter = lamb_update(call.parameter, direction, call.rate, squares(call.parameter),
                                      squares(direction));
  return {parameter, {&graph, made[1]}, {&graph, made[2]}};
}

}  // namespace

TESSERA_OPTIMIZER(lamb) {
  return {.mindspore_name = "Lamb",
          .doc =
              "Adam's direction with weight decay, as long as the parameter itself: layers step in "
              "proportion to their size.",
          .options = {internal::learning_rate("0.001"),
                      {"beta1", 0.9, "how much of the first moment stays"},
                      {"beta2", 0.999, "how much of the second moment stays"},
                      {"eps", 1e-6, "added to the root of the second moment"},
                      internal::kDecay},
          .states =
              [](const Attrs&) {
                return std::vector<OptimizerState>{{"lamb_m"}, {"lamb_v"}};
              },
          .powers = {{"beta1_power", "beta1", false}, {"beta2_power", "beta2", false}},
          .check =
              [](const Attrs& options) {
                internal::check_fraction(options, "beta1");
                internal::check_fraction(options, "beta2");
                internal::check_fraction(options, "eps", 1e30);
              },
          .update = lamb_update_of};
}
