// The first steps of training a network with batch norm, by reference kernels, against what
// MindSpore recorded in ../shared/data/mindspore/train.
#include <gtest/gtest.h>

#include <cmath>

#include "tessera/checkpoint/load_plan.h"
#include "tessera/data/pipeline.h"
#include "tessera/io/file.h"
#include "tessera/io/json.h"
#include "tessera/ops/ops.h"
#include "tessera/passes/gradients.h"
#include "tessera/passes/training.h"
#include "tests/support/bn_net.h"
#include "tests/support/evaluate_graph.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

constexpr int64_t kBatch = 32;

/// The graph of one step: outputs are the loss and the gradient of every parameter that is not
/// moved.
struct Step {
  Graph graph;
  std::vector<size_t> trained;  // which parameters
};

Step make_step() {
  Step step{to_training(BnNet(kBatch).graph()), {}};
  Graph& graph = step.graph;
  const Value logits{&graph, graph.outputs[0]};
  const Value labels{&graph, graph.add_input("labels", DType::kI32, {kBatch})};
  const ValueId loss = reduce_mean(sparse_softmax_cross_entropy(logits, labels)).id;
  std::vector<ValueId> wanted;
  for (size_t p = 0; p < graph.parameters.size(); ++p) {
    const ValueId id = graph.parameters[p];
    if (graph.values[static_cast<size_t>(id)].name.find("moving") != std::string::npos) continue;
    step.trained.push_back(p);
    wanted.push_back(id);
  }
  graph.outputs = {loss};
  for (const ValueId id : add_gradients(graph, loss, wanted)) graph.outputs.push_back(id);
  return step;
}

Json recorded() {
  const Json json = parse_json(read_text(shared_data() / "mindspore/train/train.json"));
  return json.at("cases").at("bn_momentum");
}

Pipeline batches() {
  return Pipeline(open_rows("mnist:" + (shared_data() / "mnist/train").string()))
      .map("resize(32,32) rescale(1/255) rescale(1/0.3081,-0.1307/0.3081) to_chw")
      .batch(kBatch, true);
}

void expect_gradients(const Step& step, const std::vector<Tensor>& outputs, const Json& wanted) {
  for (size_t g = 0; g < step.trained.size(); ++g) {
    const ValueId id = step.graph.parameters[step.trained[g]];
    const std::string& name = step.graph.values[static_cast<size_t>(id)].name;
    double squares = 0, largest = 0;
    for (const float x : outputs[1 + g].data<float>()) {
      squares += double{x} * x;
      largest = std::max(largest, std::abs(double{x}));
    }
    const Json& norms = wanted.at(name);
    EXPECT_NEAR(std::sqrt(squares) / norms.items()[0].as_double(), 1, 2e-5) << name;
    EXPECT_NEAR(largest / norms.items()[1].as_double(), 1, 1e-4) << name;
  }
}

/// Momentum as MindSpore counts it: m = 0.9 m + g; w = w - 0.05 m.
void move(Tensor& weight, Tensor& moment, const Tensor& gradient) {
  for (size_t i = 0; i < static_cast<size_t>(weight.size()); ++i) {
    float& m = moment.mutable_data<float>()[i];
    m = 0.9F * m + gradient.data<float>()[i];
    weight.mutable_data<float>()[i] -= 0.05F * m;
  }
}

/// Of the relative loss: training is chaotic, two correct implementations drift apart.
double tolerance_at(size_t step) {
  if (step < 20) return 1e-5;
  return step < 30 ? 1e-4 : 1e-2;
}

TEST(RecordedTraining, OfBatchNormHasTheGradientsLossesAndStatisticsOfMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json wanted = recorded();
  const Step step = make_step();
  std::vector<Tensor> weights = first_bn_weights(step.graph);
  std::vector<Tensor> moments;
  for (const size_t p : step.trained) {
    moments.emplace_back(DType::kF32, weights[p].shape());
    std::ranges::fill(moments.back().mutable_data<float>(), 0.0F);
  }
  Pipeline rows = batches();
  for (size_t s = 0; s < 60; ++s) {
    const std::optional<Batch> batch = rows.next();
    std::vector<Tensor> given = {batch->data, batch->labels};
    given.insert(given.end(), weights.begin(), weights.end());
    const std::vector<Tensor> outputs = evaluate_graph(step.graph, given);
    const double loss = wanted.at("losses").items()[s].as_double();
    EXPECT_NEAR(outputs[0].data<float>()[0] / loss, 1, tolerance_at(s)) << "step " << s;
    if (s == 0) expect_gradients(step, outputs, wanted.at("first_step_gradients_l2_and_max"));
    for (size_t g = 0; g < step.trained.size(); ++g)
      move(weights[step.trained[g]], moments[g], outputs[1 + g]);
    for (size_t u = 0; u < step.graph.updates.size(); ++u) {
      const auto at = std::ranges::find(step.graph.parameters, step.graph.updates[u].parameter);
      weights[static_cast<size_t>(at - step.graph.parameters.begin())] =
          outputs[1 + step.trained.size() + u];
    }
  }
  const Checkpoint last = open_checkpoint(shared_data() / "mindspore/train/bn_momentum.ckpt");
  for (size_t p = 0; p < weights.size(); ++p) {
    const ValueInfo& value = step.graph.values[static_cast<size_t>(step.graph.parameters[p])];
    const std::vector<Target> target = {{value.name, value.dtype, value.shape, whole(value.shape)}};
    const Tensor left = load_tensors(last, target)[0];
    for (size_t i = 0; i < static_cast<size_t>(left.size()); ++i)
      EXPECT_NEAR(weights[p].data<float>()[i], left.data<float>()[i], 0.03) << value.name;
  }
}

}  // namespace
}  // namespace tessera::testing
