#include "tessera/train/define_optimizer.h"

TESSERA_OPTIMIZER(adam_weight_decay) {
  using namespace tessera;
  return {
      .mindspore_name = "AdamWeightDecay",
      .doc =
          "Two moments of the gradients, not corrected, and weight decay beside them: a step along "
          "their quotient and the parameter.",
      .options = {internal::learning_rate("0.001"),
                  {"beta1", 0.9, "how much of the first moment stays"},
                  {"beta2", 0.999, "how much of the second moment stays"},
                  {"eps", 1e-6, "added to the root of the second moment"},
                  internal::kDecay},
      .states =
          [](const Attrs&) {
            return std::vector<OptimizerState>{{"adam_m"}, {"adam_v"}};
          },
      .check =
          [](const Attrs& options) {
            internal::check_fraction(options, "beta1");
            internal::check_fraction(options, "beta2");
            internal::check_fraction(options, "eps", 1e30);
          },
      .update =
          [](const UpdateCall& call) {
            return internal::emit_update("adam_weight_decay_update", call, {{"epsilon", "eps"}});
          }};
}
