#include "tessera/train/define_optimizer.h"

TESSERA_OPTIMIZER(rms_prop) {
  using namespace tessera;
  return {.mindspore_name = "RMSProp",
          .doc =
              "A step along the gradient over the root of a running mean of its square; centered, "
              "of its variance.",
          .options = {internal::learning_rate("0.1"),
                      {"decay", 0.9, "how much of the mean stays"},
                      {"momentum", 0.0, "how much of the last step is added"},
                      {"epsilon", 1e-10, "added to the mean"},
                      {"centered", false, "whether the square of the mean gradient is taken off"},
                      internal::kDecay},
          .states =
              [](const Attrs& options) {
                std::vector<OptimizerState> states = {{"mean_square", 1}, {"moment"}};
                if (std::get<bool>(options.find("centered")->second))
                  states.insert(states.begin(), {"mean_grad"});
                return states;
              },
          .check =
              [](const Attrs& options) {
                internal::check_fraction(options, "decay", 1e30);
                internal::check_fraction(options, "momentum", 1e30);
                internal::check_fraction(options, "epsilon", 1e30);
              },
          .update =
              [](const UpdateCall& call) {
                return internal::emit_update(
                    call.states.size() == 3 ? "centered_rms_prop_update" : "rms_prop_update", call);
              }};
}
