#include "tessera/model/train/monitors.h"

#include <fmt/format.h>

namespace tessera {

LossMonitor::LossMonitor(int64_t every, std::FILE* out) : every_(every), out_(out) {
  require(every > 0, "a loss is printed every 1, 2, … steps, got {}", every);
}

void LossMonitor::step_end(Trainer& trainer, const StepReport& step) {
  if (trainer.rank() != 0 || step.global_step - last_ < every_) return;
  last_ = step.global_step;
  fmt::print(out_, "epoch: {} step: {}, loss is {}\n", step.epoch, step.step, step.loss);
  std::fflush(out_);
}

void TimeMonitor::epoch_end(Trainer& trainer, const StepReport& last) {
  if (trainer.rank() != 0) return;
  const double milliseconds = watch_.seconds() * 1e3;
  fmt::print(out_, "Train epoch time: {:5.3f} ms, per step time: {:5.3f} ms\n", milliseconds,
             milliseconds / static_cast<double>(std::max<int64_t>(1, last.step)));
  std::fflush(out_);
}

}  // namespace tessera
