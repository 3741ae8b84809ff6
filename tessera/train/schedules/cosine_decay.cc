#include "tessera/train/define_schedule.h"

TESSERA_SCHEDULE(cosine_decay) {
  using namespace tessera;
  using internal::integer, internal::number;
  return {
      .mindspore_name = "cosine_decay_lr",
      .doc =
          "min_lr + (max_lr - min_lr) / 2 * (1 + cos(pi * min(epoch, decay_epoch) / decay_epoch)).",
      .options = {{"min_lr", 0.0, "at the end"},
                  {"max_lr", 0.1, "at first"},
                  {"decay_epoch", int64_t{1}, "after so many epochs it stays"},
                  internal::kStepsPerEpoch},
      .check =
          [](const Attrs& options) {
            internal::check_positive(options, {"max_lr", "decay_epoch", "step_per_epoch"});
            require(number(options, "min_lr") >= 0 &&
                        number(options, "min_lr") < number(options, "max_lr"),
                    "min_lr is {}, wants a rate from 0 to below max_lr, {}",
                    number(options, "min_lr"), number(options, "max_lr"));
          },
      .rate =
          [](const Attrs& options, int64_t step) {
            const double low = number(options, "min_lr");
            const auto end = static_cast<double>(integer(options, "decay_epoch"));
            const double epoch = std::min(internal::epoch_of(options, step), end);
            return low + 0.5 * (number(options, "max_lr") - low) *
                             (1 + std::cos(std::numbers::pi * epoch / end));
          }};
}
