// Callbacks that print, with MindSpore 2's texts.
#pragma once

#include <cstdio>

#include "tessera/base/stopwatch.h"
#include "tessera/model/train/evaluate_each.h"

namespace tessera {

/// "epoch: 1 step: 4, loss is 2.3025": after every so many steps, on rank 0 alone. A loss that is
/// no number stops the training before it comes here.
class LossMonitor final : public Callback {
 public:
  /// No losses are printed where `every` is 0; throws kInvalidArgument below that. `tests`, called
  /// before this, gives "Eval result: epoch 2, metrics: {'accuracy': 0.975}". They and `out` must
  /// outlive this.
  explicit LossMonitor(int64_t every = 1, std::FILE* out = stdout,
                       const EvaluateEach* tests = nullptr);
  void step_end(Trainer& trainer, const StepReport& step) override;
  void epoch_end(Trainer& trainer, const StepReport& last) override;

 private:
  int64_t every_;
  int64_t last_ = 0;  // the step printed last
  std::FILE* out_;
  const EvaluateEach* tests_;
};

/// "Train epoch time: 812.337 ms, per step time: 0.433 ms": after every epoch, on rank 0 alone.
class TimeMonitor final : public Callback {
 public:
  explicit TimeMonitor(std::FILE* out = stdout) : out_(out) {}
  void epoch_begin(Trainer&, int64_t) override { watch_ = Stopwatch(); }
  void epoch_end(Trainer& trainer, const StepReport& last) override;

 private:
  Stopwatch watch_;
  std::FILE* out_;
};

}  // namespace tessera
