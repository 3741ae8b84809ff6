// Runs tests/golden/passes/*.txt. A case begins with "pass: NAME" (or "pass: all", the pipeline of
// inference); then come a graph, a line of ----, and the graph that the pass makes of it. With
// TESSERA_UPDATE=1 in the environment the expected graphs are written anew.
#include <gtest/gtest.h>

#include <fstream>

#include "tessera/base/text.h"
#include "tessera/io/file.h"
#include "tessera/passes/pass.h"
#include "tessera/runtime/program.h"
#include "tests/support/evaluate_graph.h"
#include "tests/support/random_cnn.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

constexpr std::string_view kLine = "----\n";

std::filesystem::path folder() {
  return source_dir() / "tests/golden/passes";
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct Case {
  std::string given;  // "pass: ..." and the graph
  std::string wanted;
  std::vector<Pass> passes;
};

Case read_case(const std::string& name) {
  const std::string text = read_text(folder() / (name + ".txt"));
  const size_t line = text.find(kLine);
  Case found{text.substr(0, line), "", {}};
  if (line != std::string::npos) found.wanted = text.substr(line + kLine.size());
  const std::string first = text.substr(0, text.find('\n'));
  for (const Pass& pass : inference_passes()) {
    if (first == "pass: all" || first == "pass: " + std::string(pass.name)) {
      found.passes.push_back(pass);
    }
  }
  EXPECT_FALSE(found.passes.empty()) << "'" << first << "' names no pass";
  return found;
}

Graph graph_of(const Case& golden) {
  return parse_graph(golden.given.substr(golden.given.find('\n')), find_op);
}

class PassesGolden : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Every, PassesGolden, ::testing::ValuesIn(case_names()),
                         [](const auto& name) { return name.param; });

TEST_P(PassesGolden, MakesTheExpectedGraph) {
  const Case golden = read_case(GetParam());
  const std::string found = to_string(run_passes(graph_of(golden), golden.passes));
  if (std::getenv("TESSERA_UPDATE") != nullptr) {
    std::ofstream(folder() / (GetParam() + ".txt"), std::ios::binary)
        << golden.given << kLine << found;
    return;
  }
  EXPECT_EQ(found, golden.wanted);
}

TEST_P(PassesGolden, KeepsTheResults) {
  const Case golden = read_case(GetParam());
  const Graph before = graph_of(golden);
  const Graph after = run_passes(before, golden.passes);
  const std::vector<Tensor> parameters = random_tensors(before, before.parameters, 1);
  const std::vector<Tensor> inputs = random_tensors(before, before.inputs, 2);
  const std::vector<Tensor> wanted = evaluate_graph(before, parameters, inputs);
  const std::vector<Tensor> found = evaluate_graph(after, parameters, inputs);
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_LT(largest_difference(wanted[i], found[i]), 1e-5) << "output " << i;
  }
}

TEST_P(PassesGolden, ASecondRunChangesNothing) {
  const Case golden = read_case(GetParam());
  const Graph once = run_passes(graph_of(golden), golden.passes);
  EXPECT_EQ(to_string(run_passes(once, golden.passes)), to_string(once));
}

TEST(Passes, KeepTheResultsOfRandomNetworks) {
  size_t fewer = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    const Graph before = RandomCnn(seed).graph();
    const Graph after = run_passes(before, inference_passes());
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + to_string(before) + "\n" +
                 to_string(after));
    const std::vector<Tensor> parameters = random_tensors(before, before.parameters, seed);
    const std::vector<Tensor> inputs = random_tensors(before, before.inputs, seed + 1);
    const std::vector<Tensor> wanted = evaluate_graph(before, parameters, inputs);
    const std::vector<Tensor> found = evaluate_graph(after, parameters, inputs);
    std::vector<Tensor> run = Program::compile(after, parameters).run(inputs);
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_LT(largest_difference(wanted[i], found[i]), 1e-5);
      EXPECT_LT(largest_difference(wanted[i], run[i]), 3e-5);
    }
    fewer += after.nodes.size() < before.nodes.size() ? 1 : 0;
  }
  EXPECT_GT(fewer, 50U) << "the networks give the passes something to do";
}

TEST(Passes, ErrorsNameThePass) {
  const Pass broken{"broken", "", [](Graph) -> Graph {
                      Graph graph;
                      graph.outputs = {3};
                      return graph;
                    }};
  try {
    (void)run_passes({}, {&broken, 1});
    FAIL() << "the graph has no value 3";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("running pass 'broken'"), std::string::npos);
  }
}

}  // namespace
}  // namespace tessera::testing
