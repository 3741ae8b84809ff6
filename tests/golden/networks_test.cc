// The models of the zoo against the logits that MindSpore recorded for the same weights and inputs.
#include <gtest/gtest.h>

#include "tessera/base/fnv1a.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/passes/pass.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

/// The input of a recorded network, by the rule of the data's README: element i of "input".
Tensor recorded_input(Shape shape) {
  const uint64_t hash = fnv1a("input");
  Tensor input(DType::kF32, std::move(shape));
  uint64_t i = 0;
  for (float& element : input.mutable_data<float>()) {
    uint64_t z = hash + ++i * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    element = 2 * (static_cast<float>(z >> 40) * 0x1p-24F) - 1;
  }
  return input;
}

std::vector<Tensor> weights_of(const Graph& graph, const Checkpoint& checkpoint) {
  std::vector<Target> targets;
  for (const ValueId id : graph.parameters) {
    const ValueInfo& value = graph.values[static_cast<size_t>(id)];
    targets.push_back({value.name, value.dtype, value.shape, whole(value.shape)});
  }
  return load_tensors(checkpoint, targets);
}

TEST(Networks, LenetGivesTheLogitsOfMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::filesystem::path folder = shared_data() / "mindspore/networks";
  const Tensor wanted = read_npy(folder / "lenet5_n10_b4_32_logits.npy");
  const Graph traced = trace(parse_model("lenet5"), 4, {1, 32, 32});
  const Graph graph = run_passes(traced, inference_passes());
  const std::vector<Tensor> weights =
      weights_of(graph, open_checkpoint(folder / "lenet5_n10_b4_32.ckpt"));
  const Tensor input = recorded_input({4, 1, 32, 32});
  float largest = 0;
  for (const float logit : wanted.data<float>()) largest = std::max(largest, std::abs(logit));
  for (const CompileOptions& options : {CompileOptions{.threads = 1}, CompileOptions{.threads = 2},
                                        CompileOptions{.threads = 1, .reference_only = true}}) {
    const Tensor found = Program::compile(graph, weights, options).run({&input, 1})[0];
    ASSERT_EQ(found.shape(), wanted.shape());
    for (size_t i = 0; i < wanted.data<float>().size(); ++i) {
      EXPECT_NEAR(found.data<float>()[i], wanted.data<float>()[i], 1e-4F * largest + 1e-5F);
    }
  }
}

}  // namespace
}  // namespace tessera::testing
