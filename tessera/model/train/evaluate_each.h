// Evaluating a model while it is trained, as MindSpore's Model.fit does:
//
//   EvaluateEach tests(digits_test, "accuracy,loss");
//   trainer.train(10, rows, {&tests});           // tests.points(): one per epoch
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/model/train/trainer.h"

namespace tessera {

/// What an evaluation found, and after which step.
struct EvalPoint {
  int64_t epoch = 0;
  int64_t global_step = 0;
  EvalReport report;
};

class EvaluateEach final : public Callback {
 public:
  /// Evaluates after every `every` epochs, and after the last. Throws kInvalidArgument for metrics
  /// that nobody knows and unless every > 0.
  EvaluateEach(Pipeline rows, std::string_view metrics, int64_t every = 1,
               EvalOptions options = {});

  void epoch_end(Trainer& trainer, const StepReport& last) override;
  /// Evaluates a model of which no step was left to make.
  void end(Trainer& trainer) override;

  std::span<const EvalPoint> points() const { return points_; }
  /// The metrics' names, in their order.
  std::vector<std::string> names() const;

 private:
  void evaluate(Trainer& trainer, int64_t epoch);

  Pipeline rows_;
  std::vector<std::unique_ptr<Metric>> metrics_;
  int64_t every_;
  EvalOptions options_;
  std::vector<EvalPoint> points_;
};

}  // namespace tessera
