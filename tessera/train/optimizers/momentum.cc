#include "tessera/train/define_optimizer.h"

TESSERA_OPTIMIZER(momentum) {
  using namespace tessera;
  return {
      .mindspore_name = "Momentum",
      .doc =
          "A moment of the gradients: moment = momentum * moment + gradient, and a step along it.",
      .options = {internal::learning_rate("0.01"),
                  {"momentum", 0.9, "how much of the moment stays"},
                  {"use_nesterov", false, "looks one step ahead"},
                  internal::kDecay},
      .states = [](const Attrs&) { return std::vector<OptimizerState>{{"moments"}}; },
      .saved_options = {"momentum"},
      .check = [](const Attrs& options) { internal::check_fraction(options, "momentum", 1e30); },
      .update =
          [](const UpdateCall& call) {
            return internal::emit_update("momentum_update", call, {{"nesterov", "use_nesterov"}});
          }};
}
