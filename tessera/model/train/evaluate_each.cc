#include "tessera/model/train/evaluate_each.h"

#include <utility>

namespace tessera {

EvaluateEach::EvaluateEach(Pipeline rows, std::string_view metrics, int64_t every,
                           EvalOptions options)
    : rows_(std::move(rows)),
      metrics_(parse_metrics(metrics)),
      every_(every),
      options_(std::move(options)) {
  require(every > 0, "a model is evaluated after every 1, 2, … epochs, got {}", every);
}

void EvaluateEach::evaluate(Trainer& trainer, int64_t epoch) {
  EvalReport report = trainer.model().eval(rows_, metrics_, options_);
  points_.push_back({epoch, trainer.step_count(), std::move(report)});
}

void EvaluateEach::epoch_end(Trainer& trainer, const StepReport& last) {
  if (last.epoch % every_ == 0 || last.epoch == last.epochs) evaluate(trainer, last.epoch);
}

void EvaluateEach::end(Trainer& trainer) {
  if (points_.empty()) evaluate(trainer, 0);
}

std::vector<std::string> EvaluateEach::names() const {
  std::vector<std::string> names;
  for (const std::unique_ptr<Metric>& metric : metrics_) names.push_back(metric->name());
  return names;
}

}  // namespace tessera
