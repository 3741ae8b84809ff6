#include "tessera/model/train/monitors.h"

#include <fmt/format.h>

namespace tessera {

namespace {

/// As Python writes a float: 2.0, not 2.
std::string python_float(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

LossMonitor::LossMonitor(int64_t every, std::FILE* out, const EvaluateEach* tests)
    : every_(every), out_(out), tests_(tests) {
  require(every >= 0, "a loss is printed every 1, 2, … steps, or never where 0, got {}", every);
}

void LossMonitor::step_end(Trainer& trainer, const StepReport& step) {
  if (trainer.rank() != 0 || every_ == 0 || step.global_step - last_ < every_) return;
  last_ = step.global_step;
  fmt::print(out_, "epoch: {} step: {}, loss is {}\n", step.epoch, step.step,
             python_float(step.loss));
  std::fflush(out_);
}

void LossMonitor::epoch_end(Trainer& trainer, const StepReport& last) {
  if (trainer.rank() != 0 || tests_ == nullptr || tests_->points().empty()) return;
  const EvalPoint& point = tests_->points().back();
  if (point.epoch != last.epoch) return;
  std::string metrics;
  for (const MetricResult& metric : point.report.metrics)
    metrics += fmt::format("{}'{}': {}", metrics.empty() ? "" : ", ", metric.name,
                           metric.is_number() ? python_float(metric.values[0]) : to_string(metric));
  fmt::print(out_, "Eval result: epoch {}, metrics: {{{}}}\n", point.epoch, metrics);
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
