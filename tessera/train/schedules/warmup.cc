#include "tessera/train/define_schedule.h"

TESSERA_SCHEDULE(warmup) {
  using namespace tessera;
  using internal::integer, internal::number;
  return {
      .mindspore_name = "warmup_lr",
      .doc = "learning_rate * min(epoch, warmup_epoch) / warmup_epoch.",
      .options = {{"learning_rate", 0.1, "after the warm-up"},
                  {"warmup_epoch", int64_t{1}, "epochs until then"},
                  internal::kStepsPerEpoch},
      .check =
          [](const Attrs& options) {
            internal::check_positive(options, {"learning_rate", "warmup_epoch", "step_per_epoch"});
          },
      .rate =
          [](const Attrs& options, int64_t step) {
            const auto end = static_cast<double>(integer(options, "warmup_epoch"));
            return number(options, "learning_rate") *
                   std::min(internal::epoch_of(options, step), end) / end;
          }};
}
