#include "tessera/train/define_schedule.h"

TESSERA_SCHEDULE(natural_exp_decay) {
  using namespace tessera;
  using internal::decay_units, internal::number;
  return internal::decay(
      "natural_exp_decay_lr",
      "learning_rate * e^(-decay_rate * epoch), with is_stair the epoch rounded down to a multiple "
      "of decay_epoch.",
      {"decay_rate", 0.1, "how fast it falls"}, [](const Attrs& options, int64_t step) {
        return number(options, "learning_rate") *
               std::exp(-number(options, "decay_rate") * decay_units(options, step) *
                        static_cast<double>(internal::integer(options, "decay_epoch")));
      });
}
