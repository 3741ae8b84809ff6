#include "tessera/train/define_schedule.h"

TESSERA_SCHEDULE(polynomial_decay) {
  using namespace tessera;
  using internal::integer, internal::number;
  return {.mindspore_name = "polynomial_decay_lr",
          .doc =
              "(learning_rate - end_learning_rate) * (1 - min(epoch, decay_epoch) / "
              "decay_epoch)^power + end_learning_rate; with update_decay_epoch decay_epoch grows "
              "to the next of its multiples instead.",
          .options = {{"learning_rate", 0.1, "at first"},
                      {"end_learning_rate", 0.0, "at the end"},
                      {"decay_epoch", int64_t{1}, "epochs until the end"},
                      {"power", 1.0, "of the polynomial"},
                      {"update_decay_epoch", false, "whether it begins again after the end"},
                      internal::kStepsPerEpoch},
          .check =
              [](const Attrs& options) {
                internal::check_positive(
                    options, {"learning_rate", "power", "decay_epoch", "step_per_epoch"});
                require(number(options, "end_learning_rate") >= 0,
                        "end_learning_rate is {}, wants 0 or more",
                        number(options, "end_learning_rate"));
              },
          .rate =
              [](const Attrs& options, int64_t step) {
                auto end = static_cast<double>(integer(options, "decay_epoch"));
                double epoch = internal::epoch_of(options, step);
                if (std::get<bool>(options.find("update_decay_epoch")->second))
                  end *= std::max(std::ceil(epoch / end), 1.0);
                else
                  epoch = std::min(epoch, end);
                const double last = number(options, "end_learning_rate");
                return (number(options, "learning_rate") - last) *
                           std::pow(1 - epoch / end, number(options, "power")) +
                       last;
              }};
}
