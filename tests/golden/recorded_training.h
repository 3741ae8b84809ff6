// Training runs that MindSpore recorded in ../shared/data/mindspore/train, and the same made here.
#pragma once

#include <string>
#include <vector>

#include "tessera/data/pipeline.h"
#include "tessera/io/json.h"
#include "tessera/model/train/trainer.h"

namespace tessera::testing {

/// The cases of train.json.
const Json& recorded_runs();

/// LeNet-5 with the weights that the README beside the runs says.
Model recorded_lenet(const RunOptions& options = {});
/// MNIST's training images as its recipe has them, in whole batches.
Pipeline mnist_batches(const Model& model, int64_t rows);

struct RecordedRun {
  std::string name;
  TrainOptions options;
};
void PrintTo(const RecordedRun& run, std::ostream* out);
std::vector<RecordedRun> recorded_lenet_runs();

std::vector<double> losses_of(Trainer& trainer, const Pipeline& rows);
/// Of the first thirty steps.
std::vector<double> losses_of(const RecordedRun& run, const RunOptions& options);

}  // namespace tessera::testing
