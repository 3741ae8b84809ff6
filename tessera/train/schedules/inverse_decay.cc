#include "tessera/train/define_schedule.h"

TESSERA_SCHEDULE(inverse_decay) {
  using namespace tessera;
  using internal::decay_units, internal::number;
  return internal::decay("inverse_decay_lr",
                         "learning_rate / (1 + decay_rate * epoch / decay_epoch), with is_stair "
                         "the quotient rounded down.",
                         {"decay_rate", 0.5, "how fast it falls"},
                         [](const Attrs& options, int64_t step) {
                           return number(options, "learning_rate") /
                                  (1 + number(options, "decay_rate") * decay_units(options, step));
                         });
}
