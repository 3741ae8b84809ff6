#include "tessera/zoo/zoo.h"

#include <gtest/gtest.h>

#include <set>

namespace tessera {
namespace {

std::vector<std::string> parameters_of(std::string_view model, const Shape& row) {
  const Graph graph = trace(parse_model(model), 1, row);
  std::vector<std::string> lines;
  for (const ValueId id : graph.parameters)
    lines.push_back(graph.values[static_cast<size_t>(id)].name + " " +
                    to_string(graph.type(id).global));
  return lines;
}

TEST(Zoo, EveryModelBuildsWithItsDefaultsAndNamesNoParameterTwice) {
  ASSERT_FALSE(all_models().empty());
  for (const ModelDef& model : all_models()) {
    const ModelSpec spec = parse_model(model.name);
    const Graph graph = trace(spec, 3, model.row_shape(spec.options));
    std::set<std::string> names;
    for (const ValueId id : graph.parameters)
      EXPECT_TRUE(names.insert(graph.values[static_cast<size_t>(id)].name).second);
    EXPECT_EQ(graph.type(graph.outputs.at(0)).global.front(), 3) << model.name;
  }
}

TEST(Zoo, EveryWeightOfANewNetworkIsRandomEveryNormPassesOn) {
  for (const ModelDef& model : all_models()) {
    const Graph graph = trace(spec_of(model), 1, model.row_shape(spec_of(model).options));
    for (const ValueId id : graph.parameters) {
      const ValueInfo& value = graph.values[static_cast<size_t>(id)];
      const Distribution& initial = value.initial;
      const std::string last = value.name.substr(value.name.rfind('.') + 1);
      if (last == "weight") {
        EXPECT_GT(initial.spread, 0.0) << model.name << " " << value.name;
      } else if (last != "bias") {
        EXPECT_EQ(initial.kind, Distribution::Kind::kConstant) << model.name << " " << value.name;
        EXPECT_EQ(initial.center, last == "gamma" || last == "moving_variance" ? 1.0 : 0.0)
            << model.name << " " << value.name;
      }
    }
  }
}

TEST(Zoo, LeNet5HasTheParametersOfMindSporesModelZoo) {
  const std::vector<std::string> wanted{
      "conv1.weight [6,1,5,5]", "conv2.weight [16,6,5,5]", "fc1.weight [120,400]", "fc1.bias [120]",
      "fc2.weight [84,120]",    "fc2.bias [84]",           "fc3.weight [10,84]",   "fc3.bias [10]"};
  EXPECT_EQ(parameters_of("lenet5", {1, 32, 32}), wanted);
}

TEST(Zoo, TheMlpNamesItsLayersAsASequentialCellDoes) {
  const std::vector<std::string> wanted{"dense_relu_sequential.0.weight [128,784]",
                                        "dense_relu_sequential.2.weight [7,128]"};
  EXPECT_EQ(parameters_of("mlp(hidden=[128], activation=leaky_relu, bias=false, num_classes=7)",
                          {1, 28, 28}),
            wanted);
}

TEST(Zoo, MultiplyAddsAreThoseOfConvolutionsAndDenseLayers) {
  const auto count = [](std::string_view model) {
    const ModelSpec spec = parse_model(model);
    return static_cast<int64_t>(multiply_adds(trace(spec, 1, spec.model->row_shape(spec.options))));
  };
  EXPECT_EQ(count("lenet5"), 416'520);
  EXPECT_EQ(count("googlenet"), 1'497'362'432);
  EXPECT_EQ(count("resnet50(num_classes=1000)"), 4'089'184'256);
  // Per layer by hand: two products of the attention besides its four dense layers.
  EXPECT_EQ(count("transformer(layers=1,hidden=8,heads=2,mlp=16,seq=4)"),
            4 * (4 * 8 * 8) + 2 * (2 * 4 * 4 * 4) + 2 * (4 * 8 * 16));
}

TEST(Zoo, ANameWithOptionsPrintsWhatDiffersFromTheDefaults) {
  EXPECT_EQ(to_string(parse_model("mlp")), "mlp");
  EXPECT_EQ(to_string(parse_model(" mlp( bias=false , hidden=[3,4],activation=tanh )")),
            "mlp(hidden=[3,4],activation=tanh,bias=false)");
  EXPECT_EQ(to_string(parse_model("mlp(alpha=1)")), "mlp(alpha=1.0)");
}

std::string refusal(std::string_view text) {
  try {
    parse_model(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Zoo, AWrongNameOrOptionIsRefusedWithWhatThereIs) {
  EXPECT_NE(refusal("lenet").find("nearest: 'lenet5'"), std::string::npos) << refusal("lenet");
  EXPECT_NE(refusal("mlp(hiden=[1])").find("nearest: 'hidden'"), std::string::npos);
  EXPECT_NE(refusal("mlp(hidden=3)").find("list of integers"), std::string::npos);
  EXPECT_NE(refusal("mlp(hidden=[3]").find("closing"), std::string::npos);
  EXPECT_NE(refusal("mlp(bias)").find("option=value"), std::string::npos);
  EXPECT_NE(refusal("").find("known: "), std::string::npos);
}

TEST(Zoo, AVariantThatThereIsNotIsRefusedWithThoseThereAre) {
  for (const char* model : {"resnet18(variant=torch)", "densenet121(variant=torch)"}) {
    try {
      trace(parse_model(model), 1, {3, 64, 64});
      FAIL() << model;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("variant 'torch' is none of mindspore, "),
                std::string::npos)
          << error.what();
    }
  }
}

TEST(Zoo, ARowThatDoesNotFitIsRefusedWhereItDoesNotFit) {
  try {
    trace(parse_model("lenet5"), 1, {1, 8, 8});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("building model lenet5"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace tessera
