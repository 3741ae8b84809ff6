#include "tessera/train/define_optimizer.h"

TESSERA_OPTIMIZER(adam) {
  using namespace tessera;
  return {.mindspore_name = "Adam",
          .doc =
              "Two moments of the gradients, corrected for their start at 0, and a step along "
              "their quotient.",
          .options = {internal::learning_rate("0.001"),
                      {"beta1", 0.9, "how much of the first moment stays"},
                      {"beta2", 0.999, "how much of the second moment stays"},
                      {"eps", 1e-8, "added to the root of the second moment"},
                      {"use_nesterov", false, "looks one step ahead"},
                      internal::kDecay},
          .states =
              [](const Attrs&) {
                return std::vector<OptimizerState>{{"moment1"}, {"moment2"}};
              },
          .powers = {{"beta1_power", "beta1"}, {"beta2_power", "beta2"}},
          .check =
              [](const Attrs& options) {
                internal::check_fraction(options, "beta1");
                internal::check_fraction(options, "beta2");
                internal::check_fraction(options, "eps", 1e30);
              },
          .update =
              [](const UpdateCall& call) {
                return internal::emit_update("adam_update", call,
                                             {{"nesterov", "use_nesterov"}, {"epsilon", "eps"}});
              }};
}
