// Runs tests/golden/zoo/*.txt, which tests/oracles/zoo_mindspore.py makes with MindSpore: a model
// and the shape of its input, a line of ----, the parameters, a line of ----, the logits of one row
// per line, for weights that are made by a rule.
#include <gtest/gtest.h>

#include <charconv>

#include "tessera/base/text.h"
#include "tessera/io/file.h"
#include "tessera/passes/pass.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"
#include "tests/support/difference.h"
#include "tests/support/made_weights.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir() / "tests/golden/zoo"))
    names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

struct Case {
  std::string model;
  Shape input;
  std::vector<std::string> parameters;
  Tensor logits;
};

Tensor read_logits(std::span<const std::string> lines) {
  std::vector<float> values;
  for (const std::string& line : lines) {
    std::istringstream numbers(line);
    for (float value = 0; numbers >> value;) values.push_back(value);
  }
  const auto rows = std::ssize(lines);
  return Tensor::of<float>(values, {rows, std::ssize(values) / rows});
}

Case read_case(const std::string& name) {
  std::istringstream text(read_text(source_dir() / "tests/golden/zoo" / (name + ".txt")));
  std::vector<std::vector<std::string>> parts(1);
  for (std::string line; std::getline(text, line);) {
    if (line == "----")
      parts.emplace_back();
    else
      parts.back().push_back(line);
  }
  require(parts.size() == 3 && parts[0].size() == 2, "{} has not the parts of a case", name);
  Case found{parts[0][0], {}, parts[1], read_logits(parts[2])};
  const Attr shape = parse_attr(parts[0][1]);
  for (const int64_t extent : std::get<Ints>(shape)) found.input.push_back(extent);
  return found;
}

/// How many there are, then one line per parameter, but one for a run of parameters of one layer
/// and one shape: "bn1.gamma,beta [16]".
std::vector<std::string> parameter_lines(const Graph& graph) {
  std::vector<std::string> lines{""};
  int64_t elements = 0;
  std::string layer;
  for (const ValueId id : graph.parameters) {
    const ValueInfo& value = graph.values[static_cast<size_t>(id)];
    const size_t dot = value.name.rfind('.');
    const std::string shape = " " + to_string(value.shape);
    elements += element_count(value.shape);
    if (value.name.substr(0, dot) == layer && lines.back().ends_with(shape))
      lines.back().insert(lines.back().size() - shape.size(), "," + value.name.substr(dot + 1));
    else
      lines.push_back(value.name + shape);
    layer = value.name.substr(0, dot);
  }
  lines[0] = fmt::format("{} parameters, {} elements", graph.parameters.size(), elements);
  return lines;
}

class ZooCases : public ::testing::TestWithParam<std::string> {};

TEST_P(ZooCases, HaveTheParametersAndLogitsOfMindSpore) {
  const Case network = read_case(GetParam());
  const Shape row(network.input.begin() + 1, network.input.end());
  const Graph traced = trace(parse_model(network.model), network.input[0], row);
  EXPECT_EQ(parameter_lines(traced), network.parameters);

  const Graph graph = run_passes(traced, inference_passes());
  const std::vector<Tensor> weights = made_parameters(graph, 6);
  const Tensor input = made_input(network.input);
  std::vector<CompileOptions> ways{{}};
  // The slow kernels where they differ: small images, grouped convolutions.
  if (row[1] == 32) ways.push_back({.reference_only = true});
  if (row[1] == 32 || GetParam().starts_with("mobilenet") || GetParam() == "resnext50")
    ways.push_back({.deterministic = true});
  for (const CompileOptions& way : ways) {
    const Tensor found = Program::compile(graph, weights, way).run({&input, 1})[0];
    EXPECT_EQ(logit_difference(network.logits, found), "") << (way.deterministic ? "deterministic"
                                                               : way.reference_only ? "reference"
                                                                                    : "fast");
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooCases, ::testing::ValuesIn(case_names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tessera::testing
