#include "tessera/train/define_schedule.h"

TESSERA_SCHEDULE(inverse_decay) {
  using namespace tessera;
  using internal::integer, internal::number;
  return {
      .mindspore_name = "inverse_decay_lr",
      .doc =
          "learning_rate / (1 + decay_rate * epoch / decay_epoch), with is_stair the quotient "
          "rounded down.",
      .options = {{"learning_rate", 0.1, "at first"},
                  {"decay_rate", 0.5, "how fast it falls"},
                  {"decay_epoch", int64_t{1}, "epochs per unit"},
                  {"is_stair", false, "whether the rate falls at once every decay_epoch epochs"},
                  internal::kStepsPerEpoch},
      .check =
          [](const Attrs& options) {
            internal::check_positive(
                options, {"learning_rate", "decay_rate", "decay_epoch", "step_per_epoch"});
          },
      .rate =
          [](const Attrs& options, int64_t step) {
            double units = internal::epoch_of(options, step) /
                           static_cast<double>(integer(options, "decay_epoch"));
            if (std::get<bool>(options.find("is_stair")->second)) units = std::floor(units);
            return number(options, "learning_rate") / (1 + number(options, "decay_rate") * units);
          }};
}
