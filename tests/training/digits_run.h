// Small training runs over the embedded digits.
#pragma once

#include <string>
#include <vector>

#include "tessera/data/pipeline.h"
#include "tessera/model/train/trainer.h"
#include "tessera/zoo/zoo.h"

namespace tessera::testing {

/// Remembers the losses.
class Losses final : public Callback {
 public:
  void step_end(Trainer&, const StepReport& step) override { all.push_back(step.loss); }
  std::vector<double> all;
};

inline Model lenet() {
  return Model::open({.model = "lenet5", .seed = 5}, {.threads = 1});
}

inline Pipeline digits(const ModelSpec& spec, int64_t batch, int64_t rows) {
  return Pipeline(open_rows("digits:train"))
      .map(spec.model->transforms[0].transforms)
      .limit(rows)
      .batch(batch);
}

}  // namespace tessera::testing
