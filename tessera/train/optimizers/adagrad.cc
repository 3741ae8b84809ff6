#include "tessera/train/define_optimizer.h"

TESSERA_OPTIMIZER(adagrad) {
  using namespace tessera;
  return {.mindspore_name = "Adagrad",
          .doc = "A step along the gradient over the root of the sum of all its squares.",
          .options = {internal::learning_rate("0.001"),
                      {"accum", 0.1, "what the sums begin with"},
                      {"update_slots", true, "whether the sums grow"},
                      internal::kDecay},
          .states =
              [](const Attrs& options) {
                return std::vector<OptimizerState>{
                    {"accum", std::get<double>(options.find("accum")->second)}};
              },
          .check = [](const Attrs& options) { internal::check_fraction(options, "accum", 1e30); },
          .update =
              [](const UpdateCall& call) { return internal::emit_update("adagrad_update", call); }};
}
