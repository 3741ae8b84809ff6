// What a training run was like: a line per step in a .csv file, and a page of HTML with curves.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tessera/io/file.h"
#include "tessera/model/train/trainer.h"

namespace tessera {

class TrainLog final : public Callback {
 public:
  /// Empty paths: no such file. The .csv file grows while the model is trained, so that it can be
  /// looked at; the page appears at the end. Throws kIo.
  TrainLog(std::filesystem::path csv, std::filesystem::path page);
  ~TrainLog() override;

  void begin(Trainer& trainer) override;
  void step_end(Trainer& trainer, const StepReport& step) override;
  void end(Trainer& trainer) override;

 private:
  std::filesystem::path csv_;
  std::filesystem::path page_;
  std::FILE* out_ = nullptr;
  std::vector<StepReport> steps_;  // where a page is asked for
};

/// The page: the loss per step and the mean of each epoch, learning rate, rows per second.
std::string train_page(std::string_view title, std::span<const StepReport> steps);

}  // namespace tessera
