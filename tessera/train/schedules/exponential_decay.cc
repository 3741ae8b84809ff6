#include "tessera/train/define_schedule.h"

TESSERA_SCHEDULE(exponential_decay) {
  using namespace tessera;
  using internal::decay_units, internal::number;
  return internal::decay(
      "exponential_decay_lr",
      "learning_rate * decay_rate^(epoch / decay_epoch), with is_stair the power rounded down.",
      {"decay_rate", 0.9, "the factor per decay_epoch epochs"},
      [](const Attrs& options, int64_t step) {
        return number(options, "learning_rate") *
               std::pow(number(options, "decay_rate"), decay_units(options, step));
      });
}
