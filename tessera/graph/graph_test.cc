#include "tessera/graph/graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tessera {
namespace {

// Two ops of this test's own: the graph layer sees no registry.
std::string relu_like_rule(const OpCall&) {
  return "... -> ...";
}

const OpDef& same_op() {
  static const OpDef op{.name = "same",
                        .operands = {{"x", DTypes::kAny}},
                        .attrs = {{"mode", "a}b\"c", "text with braces and quotes"},
                                  {"axis", int64_t{0}, "an integer"}},
                        .rule = relu_like_rule};
  return op;
}

const OpDef& halves_op() {
  static const OpDef op{.name = "halves",
                        .operands = {{"x"}},
                        .rule = OpDef::fixed_rule("n c -> n c, n c"),
                        .result_dtypes = [](const OpCall&) {
                          return std::vector<DType>{DType::kF32, DType::kI32};
                        }};
  return op;
}

const OpDef* find_test_op(std::string_view name) {
  if (name == "same") return &same_op();
  if (name == "halves") return &halves_op();
  return nullptr;
}

Graph small_graph() {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kF32, {2, 3});
  graph.add_parameter("fc.weight", DType::kF16, {4});
  const std::array<float, 2> values = {1.5F, -0.1F};
  graph.add_constant("pair", Tensor::of<float>(values, {2}));
  const std::vector<ValueId> two = graph.emit(halves_op(), {x}, {}, "block/1 (left)");
  const Attrs attrs = {{"axis", int64_t{-1}}, {"mode", "{\"#\\"}};
  graph.outputs = {graph.emit(same_op(), {two[0]}, attrs)[0], two[1]};
  return graph;
}

std::string error_of(std::string_view text) {
  try {
    (void)parse_graph(text, find_test_op);
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal) << error.what();
    return error.what();
  }
  return "";
}

TEST(Graph, PrintsOneLinePerValueAndNode) {
  EXPECT_EQ(to_string(small_graph()),
            "input x : f32[2,3]\n"
            "parameter fc.weight : f16[4]\n"
            "constant pair : f32[2] = {1.5, -0.1}\n"
            "v3, v4 = halves(x) : f32[2,3], i32[2,3]  # block/1 (left)\n"
            "v5 = same(v3) {axis=-1, mode=\"{\\\"#\\\\\"} : f32[2,3]\n"
            "output v5\n"
            "output v4\n");
}

TEST(Graph, FindsNamesThatWereGivenChangedOrAppendedFromOutside) {
  Graph graph = small_graph();
  graph.rename(1, "fc.gamma");
  EXPECT_EQ(graph.find("fc.gamma"), 1);
  EXPECT_EQ(graph.find("fc.weight"), std::nullopt);
  EXPECT_EQ(graph.unused_name("fc.weight"), "fc.weight");
  EXPECT_EQ(graph.unused_name("fc.gamma"), "fc.gamma_1");
  EXPECT_THROW(graph.rename(1, "x"), Error);
  EXPECT_THROW(graph.rename(1, "a blank"), Error);
  graph.rename(1, "fc.gamma");
  graph.add_parameter("fc.weight", DType::kF32, {1});  // the name is free again
  graph.values.push_back({"appended", DType::kF32, {1}});
  EXPECT_EQ(graph.find("appended"), static_cast<ValueId>(graph.values.size()) - 1);
  const Graph copy = graph;
  graph.values.resize(2);
  EXPECT_EQ(graph.find("appended"), std::nullopt);
  EXPECT_EQ(graph.find("fc.gamma"), 1);
  EXPECT_TRUE(copy.find("appended").has_value());
  graph.add_parameter("appended", DType::kF32, {1});
  EXPECT_EQ(graph.find("appended"), 2);
}

TEST(Graph, TextReadsBackToTheSameText) {
  const std::string text = to_string(small_graph());
  const Graph graph = parse_graph(text, find_test_op);
  verify(graph);
  EXPECT_EQ(to_string(graph), text);
  EXPECT_EQ(graph.nodes[0].scope, "block/1 (left)");
  EXPECT_EQ(std::get<int64_t>(graph.nodes[1].attrs.at("axis")), -1);
}

TEST(Graph, ConstantsOfEveryDTypeReadBack) {
  Graph graph;
  const std::array<float, 6> floats = {
      0.1F, -0.0F, std::numeric_limits<float>::infinity(), 1e-45F, 3.4028235e38F, 16777217.0F};
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    graph.add_constant("c_" + std::string(to_string(dtype)),
                       Tensor::of<float>(floats, {2, 3}).cast(dtype));
  }
  const std::array<int64_t, 3> ints = {std::numeric_limits<int64_t>::min(), -1, 1};
  graph.add_constant("c_i64", Tensor::of<int64_t>(ints, {3}));
  graph.add_constant("c_u64", Tensor::scalar(std::numeric_limits<uint64_t>::max()));
  graph.add_constant("c_bool", Tensor::scalar(true));
  graph.add_constant("c_none", Tensor(DType::kI8, {0, 5}));
  const Graph read = parse_graph(to_string(graph), find_test_op);
  ASSERT_EQ(read.constants.size(), graph.constants.size());
  for (const auto& [id, tensor] : graph.constants) {
    const Tensor& found = read.constants.at(id);
    EXPECT_EQ(found.dtype(), tensor.dtype());
    EXPECT_TRUE(std::equal(found.bytes().begin(), found.bytes().end(), tensor.bytes().begin(),
                           tensor.bytes().end()))
        << describe(tensor);
  }
}

TEST(Graph, LargeConstantsPrintADigestThatDoesNotReadBack) {
  Graph graph;
  Tensor large(DType::kI32, {17});
  std::fill(large.mutable_data<int32_t>().begin(), large.mutable_data<int32_t>().end(), 7);
  graph.add_constant("large", large);
  EXPECT_NE(to_string(graph).find("constant large : i32[17] = digest "), std::string::npos);
  EXPECT_NE(error_of(to_string(graph)).find("more than 16 elements"), std::string::npos);
}

TEST(Graph, ErrorsOfTextsNameTheLineAndWhatIsWrong) {
  struct Case {
    std::string_view text;
    std::string_view wanted;
    int line;
  };
  const Case cases[] = {
      {"input x : f32[2]\ninput x : f32[2]", "'x' is defined twice", 2},
      {"\n# nothing\ninput x f32[2]", "':'", 3},
      {"input x : f31[2]", "f31", 1},
      {"input x : f32[2", "a type like f32[2,3] wanted", 1},
      {"input x : f32[-1]", "", 1},
      {"input x : f32[4294967296,4294967296,4294967296]", "", 1},
      {"input x : f32[9223372036854775807]", "", 1},
      {"input x : f32[2] more", "the line goes on with 'more'", 1},
      {"input x : f32[2]\ny = relu(x) : f32[2]", "there is no op 'relu'", 2},
      {"input x : f32[2]\ny = same(z) : f32[2]", "'z' is not defined before this line", 2},
      {"input x : f32[2]\ny = same(x) : f32[3]", "said to be f32[3], but 'same' gives f32[2]", 2},
      {"input x : f32[2]\ny = same(x) : f32[2], f32[2]", "2 types for 1 results", 2},
      {"input x : f32[2,2]\ny = halves(x) : f32[2,2]", "2 results, but 1 are named", 2},
      {"input x : f32[2,2]\ny, y = halves(x) : f32[2,2], i32[2,2]", "'y' is defined twice", 2},
      {"input x : f32[2]\ny = same(x) {axis=\"a\"} : f32[2]", "axis", 2},
      {"input x : f32[2]\ny = same(x) {axis=1 : f32[2]", "'{' without its '}'", 2},
      {"input x : f32[2]\ny = same x : f32[2]", "'(' wanted", 2},
      {"input x : f32[2]\ny = same(x, ) : f32[2]", "an operand wanted", 2},
      {"input x : f32[2]\ny = same(x) : f32[2] tail", "the line goes on", 2},
      {"constant c : f32[2] = {1}", "1 values for f32[2]", 1},
      {"constant c : i8[1] = {300}", "'300' is no i8", 1},
      {"constant c : bool[1] = {2}", "no bool", 1},
      {"constant c : f32[1000000000] = {1}", "1 values for", 1},
      {"constant c : c64[1] = {1}", "complex", 1},
      {"output y", "'y' is not defined", 1},
      {"=", "a name wanted", 1},
      {"input \x01 : f32[1]", "wanted", 1},
      {"input \xff : f32[1]", "cannot name a value", 1},
  };
  for (const Case& bad : cases) {
    const std::string message = error_of(bad.text);
    EXPECT_NE(message.find(bad.wanted), std::string::npos) << bad.text << "\n" << message;
    EXPECT_NE(message.find(fmt::format("reading line {} of a graph", bad.line)), std::string::npos)
        << bad.text << "\n"
        << message;
  }
}

TEST(Graph, NoCutOrChangedByteOfATextCrashesItsReader) {
  const std::string text = to_string(small_graph());
  for (size_t i = 0; i < text.size(); ++i) {
    (void)error_of(text.substr(0, i));
    for (const char c : {'\0', '"', '{', '}', '[', ',', '=', '#', '9', '\n', '\xff'}) {
      std::string changed = text;
      changed[i] = c;
      (void)error_of(changed);
    }
  }
}

TEST(Graph, NamesThatTheTextCannotHoldAreRefused) {
  Graph graph;
  for (const std::string_view name : {"", "a b", "a,b", "a(b", "a=b", "a#b", "\"", ":", "a\n"}) {
    EXPECT_THROW(graph.add_input(std::string(name), DType::kF32, {1}), Error) << name;
  }
  graph.add_input("conv1.weight:0/x-y_z$", DType::kF32, {1});
  EXPECT_THROW(graph.add_parameter("conv1.weight:0/x-y_z$", DType::kF32, {1}), Error);
}

TEST(Graph, AddingANodeSaysWhichOpRefusedIt) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kF32, {2});
  try {
    graph.emit(halves_op(), {x});
    FAIL() << "the rule has two dims";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("adding op 'halves'"), std::string::npos);
  }
  EXPECT_THROW(graph.emit(same_op(), {7}), Error);
  EXPECT_TRUE(graph.nodes.empty());
}

TEST(Graph, VerifyFindsEveryWayToBreakAGraph) {
  const Graph good = small_graph();
  verify(good);
  const auto expect_broken = [&](auto change) {
    Graph graph = good;
    change(graph);
    try {
      verify(graph);
      ADD_FAILURE() << "verify saw nothing in\n" << to_string(graph);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInternal) << error.what();
    }
  };
  expect_broken([](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); });
  expect_broken([](Graph& g) { g.nodes[1].operands[0] = 5; });
  expect_broken([](Graph& g) { g.nodes[1].results[0] = 3; });
  expect_broken([](Graph& g) { g.values[5].shape = {3, 2}; });
  expect_broken([](Graph& g) { g.values[5].dtype = DType::kF64; });
  expect_broken([](Graph& g) { g.values[5].name = "x"; });
  expect_broken([](Graph& g) { g.values[0].name = "renamed behind the graph's back"; });
  expect_broken([](Graph& g) { g.nodes[1].attrs.erase("axis"); });
  expect_broken([](Graph& g) { g.nodes[0].results.pop_back(); });
  expect_broken([](Graph& g) { g.outputs.push_back(99); });
  expect_broken([](Graph& g) { g.inputs.push_back(1); });
  expect_broken([](Graph& g) { g.constants.at(2) = Tensor(DType::kF32, {3}); });
  expect_broken([](Graph& g) { g.nodes.pop_back(); });
}

}  // namespace
}  // namespace tessera
