#include "tessera/train/define_schedule.h"

TESSERA_SCHEDULE(natural_exp_decay) {
  using namespace tessera;
  using internal::integer, internal::number;
  return {
      .mindspore_name = "natural_exp_decay_lr",
      .doc =
          "learning_rate * e^(-decay_rate * epoch), with is_stair the epoch rounded down to a "
          "multiple of decay_epoch.",
      .options = {{"learning_rate", 0.1, "at first"},
                  {"decay_rate", 0.1, "how fast it falls"},
                  {"decay_epoch", int64_t{1}, "epochs per stair"},
                  {"is_stair", false, "whether the rate falls at once every decay_epoch epochs"},
                  internal::kStepsPerEpoch},
      .check =
          [](const Attrs& options) {
            internal::check_positive(
                options, {"learning_rate", "decay_rate", "decay_epoch", "step_per_epoch"});
          },
      .rate =
          [](const Attrs& options, int64_t step) {
            const double stair = static_cast<double>(integer(options, "decay_epoch"));
            double epoch = internal::epoch_of(options, step);
            if (std::get<bool>(options.find("is_stair")->second))
              epoch = std::floor(epoch / stair) * stair;
            return number(options, "learning_rate") *
                   std::exp(-number(options, "decay_rate") * epoch);
          }};
}
