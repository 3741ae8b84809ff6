// Whole networks compiled deterministic: threads, batches and fusing change no bit.
#include <gtest/gtest.h>

#include <algorithm>

#include "tessera/passes/pass.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"

namespace tessera::testing {
namespace {

Tensor filled(const Shape& shape, uint64_t seed) {
  Tensor tensor(DType::kF32, shape);
  for (float& e : tensor.mutable_data<float>()) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    e = 0.4F * (static_cast<float>(seed >> 40) * 0x1p-24F - 0.5F);
  }
  return tensor;
}

class DeterministicProgram : public ::testing::TestWithParam<std::string> {
 protected:
  ModelSpec spec() const { return parse_model(GetParam()); }

  Tensor input(int64_t rows) const {
    Shape shape = spec().model->row_shape(spec().options);
    shape.insert(0, rows);
    return filled(shape, 99);
  }

  Program compile(int64_t rows, int threads, bool fused = true) const {
    const Shape row = spec().model->row_shape(spec().options);
    Graph graph = trace(spec(), rows, row);
    if (fused) graph = run_passes(std::move(graph), inference_passes());
    std::vector<Tensor> tensors;
    for (const ValueId id : graph.parameters)
      tensors.push_back(filled(graph.type(id).global, tensors.size() + 1));
    return Program::compile(graph, tensors, {.threads = threads, .deterministic = true});
  }

  static bool same_bits(const Tensor& a, const Tensor& b) {
    return a.shape() == b.shape() &&
           std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin());
  }
};
INSTANTIATE_TEST_SUITE_P(Models, DeterministicProgram,
                         ::testing::Values("lenet5", "mlp", "transformer(num_classes=10)"),
                         [](const auto& p) { return p.param.substr(0, p.param.find('(')); });

TEST_P(DeterministicProgram, HasTheSameBitsOnAnyNumberOfThreads) {
  const Tensor x = input(50);
  const Tensor wanted = compile(50, 1).run({&x, 1})[0];
  for (const int threads : {2, 3, 7}) {
    EXPECT_TRUE(same_bits(wanted, compile(50, threads).run({&x, 1})[0])) << threads;
  }
}

TEST_P(DeterministicProgram, HasTheSameBitsForARowInAnyBatch) {
  const Tensor x = input(48);
  const Tensor wanted = compile(48, 2).run({&x, 1})[0];
  for (const int64_t rows : {1, 3, 8, 24}) {
    Program program = compile(rows, 1);
    for (int64_t begin = 0; begin < 48; begin += rows) {
      Box box = whole(x.shape());
      box.begin[0] = begin;
      box.size[0] = rows;
      const Tensor part = x.slice(box).clone();
      Box result = whole(wanted.shape());
      result.begin[0] = begin;
      result.size[0] = rows;
      ASSERT_TRUE(same_bits(wanted.slice(result).clone(), program.run({&part, 1})[0]))
          << rows << " rows from " << begin;
    }
  }
}

TEST_P(DeterministicProgram, HasTheSameBitsWhetherOpsAreFusedOrNot) {
  const Tensor x = input(5);
  EXPECT_TRUE(same_bits(compile(5, 1).run({&x, 1})[0], compile(5, 1, false).run({&x, 1})[0]));
}

TEST_P(DeterministicProgram, SaysWhyFasterKernelsAreRefused) {
  const std::string text = compile(2, 1).explain();
  EXPECT_NE(text.find("exact"), std::string::npos) << text;
  EXPECT_NE(text.find("its rounding depends on the tile"), std::string::npos) << text;
}

}  // namespace
}  // namespace tessera::testing
