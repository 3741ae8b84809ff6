// What a training run was like: a line per step in a .csv file, and a page of HTML with curves;
// what was evaluated after an epoch stands in the line of its last step.
//
//   global_step,epoch,… ,eval_accuracy,eval_loss
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tessera/io/file.h"
#include "tessera/model/train/evaluate_each.h"

namespace tessera {

class TrainLog final : public Callback {
 public:
  /// Empty paths: no such file. The .csv file grows while the model is trained, so that it can be
  /// looked at; the page appears at the end. Throws kIo.
  /// `tests` may be null; it must be called before this and outlive it.
  TrainLog(std::filesystem::path csv, std::filesystem::path page,
           const EvaluateEach* tests = nullptr);
  ~TrainLog() override;

  void begin(Trainer& trainer) override;
  void step_end(Trainer& trainer, const StepReport& step) override;
  void epoch_end(Trainer& trainer, const StepReport& last) override;
  void end(Trainer& trainer) override;

 private:
  void write(const StepReport& step, const EvalPoint* tested);

  std::filesystem::path csv_;
  std::filesystem::path page_;
  const EvaluateEach* tests_;
  std::FILE* out_ = nullptr;
  std::vector<StepReport> steps_;  // where a page is asked for
};

/// The page: the loss per step and the mean of each epoch, learning rate, rows per second, and how
/// the metrics changed that are numbers.
std::string train_page(std::string_view title, std::span<const StepReport> steps,
                       std::span<const EvalPoint> tests = {});

}  // namespace tessera
