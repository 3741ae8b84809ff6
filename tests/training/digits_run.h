// Small training runs over the embedded digits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
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

using Tensors = std::map<std::string, Tensor>;  // by name

inline Tensors tensors_of(const Trainer& trainer) {
  Tensors found;
  for (const TrainedTensor& tensor : trainer.tensors()) found.emplace(tensor.name, tensor.values);
  return found;
}

/// `found` has every tensor that is wanted, to the bit; it may have others.
inline void expect_same_bits(const Tensors& found, const Tensors& wanted) {
  for (const auto& [name, values] : wanted) {
    const auto same = found.find(name);
    ASSERT_NE(same, found.end()) << name;
    EXPECT_TRUE(std::ranges::equal(values.bytes(), same->second.bytes())) << name;
  }
}

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
