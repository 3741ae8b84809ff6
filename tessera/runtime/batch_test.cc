#include "tessera/runtime/internal/batch.h"

#include <gtest/gtest.h>

#include "tessera/runtime/program.h"
#include "tests/support/evaluate_graph.h"
#include "tests/support/random_cnn.h"

namespace tessera {
namespace {

using testing::evaluate_graph;
using testing::largest_difference;
using testing::random_tensors;

int64_t batch_of_text(std::string_view body) {
  const std::string text =
      "input x : f32[6,4]\nparameter rows : f32[6,4]\nparameter w : f32[4,4]\n" + std::string(body);
  return internal::batch_of(parse_graph(text, find_op));
}

TEST(Batch, IsFoundWhereEveryNodeKeepsRowsApart) {
  EXPECT_EQ(batch_of_text("y = dense(x, w) : f32[6,4]\nz = softmax(y) : f32[6,4]\noutput z"), 6);
  EXPECT_EQ(batch_of_text("y = add(x, x) : f32[6,4]\noutput y\noutput x"), 6);
  EXPECT_EQ(batch_of_text("v = exp(rows) : f32[6,4]\ny = neg(x) : f32[6,4]\noutput y"), 6);
}

TEST(Batch, IsNotFoundWhereRowsMeet) {
  for (const std::string_view body :
       {"y = softmax(x) {axis=0} : f32[6,4]\noutput y",              // rows meet
        "y = add(x, rows) : f32[6,4]\noutput y",                     // the parameter has rows
        "y = reduce_sum(x) {axis=[0]} : f32[4]\noutput y",           // rows are summed
        "y = transpose(x) {perm=[1,0]} : f32[4,6]\noutput y",        // dim 0 is another one
        "y = matmul(w, x) {transpose_b=true} : f32[4,6]\noutput y",  // likewise
        "y = matmul(x, x) {transpose_b=true} : f32[6,6]\noutput y",  // every row by every row
        "y = concat(x, x) {axis=0} : f32[12,4]\noutput y",
        "y = reshape(x) {shape=[24]} : f32[24]\noutput y",
        "y = neg(x) : f32[6,4]\noutput y\noutput w"}) {  // an output without rows
    EXPECT_EQ(batch_of_text(body), 0) << body;
  }
}

TEST(Batch, GraphsOfAnotherBatchAreWhatTheyWouldBeIfBuiltSo) {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    const Graph graph = testing::RandomCnn(seed).graph();
    const int64_t rows = internal::batch_of(graph);
    if (rows == 0) continue;
    const std::optional<Graph> cut = internal::with_batch(graph, 5);
    ASSERT_TRUE(cut.has_value());
    verify(*cut);
    EXPECT_EQ(to_string(*internal::with_batch(*cut, rows)), to_string(graph));
  }
}

TEST(Batch, AnAttributeThatHoldsItKeepsTheGraphWhole) {
  const Graph graph = parse_graph(
      "input x : f32[6,4,2]\ny = reshape(x) {shape=[6,8]} : f32[6,8]\noutput y", find_op);
  EXPECT_EQ(internal::batch_of(graph), 6);
  EXPECT_FALSE(internal::with_batch(graph, 3).has_value());
}

TEST(Batch, PartsGiveWhatTheWholeGives) {
  const Graph graph = parse_graph(
      "input x : f32[7,8,32,32]\n"
      "parameter w : f32[16,8,3,3]\n"
      "parameter b : f32[16]\n"
      "y = conv2d(x, w, b) {activation=\"relu\"} : f32[7,16,32,32]\n"
      "z = max_pool(y) {kernel=[2,2], stride=[2,2]} : f32[7,16,16,16]\n"
      "output z\noutput x\noutput z\n",
      find_op);
  const std::vector<Tensor> parameters = random_tensors(graph, graph.parameters, 1);
  const std::vector<Tensor> inputs = random_tensors(graph, graph.inputs, 2);
  const std::vector<Tensor> wanted = evaluate_graph(graph, parameters, inputs);
  for (const int threads : {2, 3, 7}) {
    for (const bool reference_only : {false, true}) {
      Program program = Program::compile(graph, parameters,
                                         {.threads = threads, .reference_only = reference_only});
      EXPECT_NE(program.explain().find(fmt::format("in {} pieces, {} at", threads, threads)),
                std::string::npos)
          << program.explain();
      for (int run = 0; run < 5; ++run) {
        const std::vector<Tensor> found = program.run(inputs);
        for (size_t i = 0; i < wanted.size(); ++i) {
          ASSERT_LT(largest_difference(wanted[i], found[i]), 1e-5);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tessera
