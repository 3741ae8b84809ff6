// The models of the zoo against the parameters and logits that MindSpore recorded for the same
// weights and inputs, in ../shared/data/mindspore/networks.
#include <gtest/gtest.h>

#include <array>
#include <sstream>

#include "tessera/checkpoint/load_plan.h"
#include "tessera/data/internal/gzip.h"
#include "tessera/io/file.h"
#include "tessera/io/json.h"
#include "tessera/passes/pass.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"
#include "tests/support/difference.h"
#include "tests/support/made_weights.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

std::filesystem::path networks() {
  return shared_data() / "mindspore/networks";
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
  const Tensor wanted = read_npy(networks() / "lenet5_n10_b4_32_logits.npy");
  const Graph traced = trace(parse_model("lenet5"), 4, {1, 32, 32});
  const Graph graph = run_passes(traced, inference_passes());
  const std::vector<Tensor> weights =
      weights_of(graph, open_checkpoint(networks() / "lenet5_n10_b4_32.ckpt"));
  const Tensor input = made_input({4, 1, 32, 32});
  for (const CompileOptions& options : {CompileOptions{.threads = 1}, CompileOptions{.threads = 2},
                                        CompileOptions{.threads = 1, .reference_only = true}}) {
    const Tensor found = Program::compile(graph, weights, options).run({&input, 1})[0];
    EXPECT_EQ(logit_difference(wanted, found), "");
  }
}

/// The first rows of CIFAR-10's test images as the reference prepares them: in float from x / 255
/// on.
struct CifarRows {
  Tensor images;
  std::vector<int> labels;
};

CifarRows read_cifar(int64_t rows) {
  constexpr size_t kPlane = 32 * 32;
  constexpr std::array<float, 3> kMean{0.485F, 0.456F, 0.406F};
  constexpr std::array<float, 3> kDeviation{0.229F, 0.224F, 0.225F};
  std::string bytes(static_cast<size_t>(rows) * (3 * kPlane + 1), '\0');
  internal::ContentReader(shared_data() / "cifar10/cifar-10-batches-bin/test_batch.bin.gz")
      .read(std::as_writable_bytes(std::span(bytes)));
  CifarRows found{Tensor(DType::kF32, {rows, 3, 32, 32}), {}};
  const auto to = found.images.mutable_data<float>();
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    const size_t record = row * (3 * kPlane + 1);
    found.labels.push_back(static_cast<uint8_t>(bytes[record]));
    for (size_t i = 0; i < 3 * kPlane; ++i) {
      const auto x = static_cast<float>(static_cast<uint8_t>(bytes[record + 1 + i])) / 255;
      to[row * 3 * kPlane + i] = (x - kMean[i / kPlane]) / kDeviation[i / kPlane];
    }
  }
  return found;
}

TEST(Networks, ResNet20GivesTheLogitsOfItsReferenceOnCifar10) {
  TESSERA_NEEDS_SHARED_DATA();
  std::istringstream text(
      read_text(shared_data() / "reference/resnet20_cifar10_test_first100_logits.csv"));
  std::vector<float> wanted;
  std::vector<int> labels;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream cells(line);
    std::string cell;
    std::getline(cells, cell, ',');
    labels.push_back(std::stoi(cell));
    while (std::getline(cells, cell, ',')) wanted.push_back(std::stof(cell));
  }
  const auto rows = std::ssize(labels);
  const CifarRows data = read_cifar(rows);
  EXPECT_EQ(data.labels, labels);
  const Graph graph =
      run_passes(trace(parse_model("resnet20"), rows, {3, 32, 32}), inference_passes());
  const std::vector<Tensor> weights =
      weights_of(graph, open_checkpoint(shared_data() / "ckpt/resnet20_cifar10/resnet20.ckpt"));
  const Tensor found = Program::compile(graph, weights).run({&data.images, 1})[0];
  EXPECT_EQ(logit_difference(Tensor::of<float>(wanted, {rows, 10}), found), "");
}

/// What a file name of the recorded values says: "resnet18_n10_b2_224_he".
struct Recorded {
  std::string tag;
  std::string model;
  int64_t rows = 0;
  int64_t side = 0;
  float gain = 3;
};

Recorded recorded(const std::string& tag) {
  const auto part = [&](size_t index) {
    size_t begin = 0;
    for (; index > 0; --index) begin = tag.find('_', begin) + 1;
    return tag.substr(begin, tag.find('_', begin) - begin);
  };
  return {.tag = tag,
          .model = fmt::format("{}(num_classes={})", part(0), part(1).substr(1)),
          .rows = std::stoll(part(2).substr(1)),
          .side = std::stoll(part(3)),
          .gain = tag.ends_with("_he") ? 6.0F : 3.0F};
}

class RecordedNetworks : public ::testing::TestWithParam<const char*> {};

TEST_P(RecordedNetworks, HaveTheParametersAndLogitsOfMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  const Recorded network = recorded(GetParam());
  const Graph traced =
      trace(parse_model(network.model), network.rows, {3, network.side, network.side});

  const std::string text = read_text(networks() / (network.tag + "_params.json"));
  const Json::Array wanted_parameters = parse_json(text, {}).items();
  ASSERT_EQ(traced.parameters.size(), wanted_parameters.size());
  for (size_t i = 0; i < wanted_parameters.size(); ++i) {
    const ValueInfo& found = traced.values[static_cast<size_t>(traced.parameters[i])];
    Shape shape;
    for (const Json& extent : wanted_parameters[i].at("shape").items())
      shape.push_back(extent.as_int());
    EXPECT_EQ(found.name, wanted_parameters[i].at("name").as_string());
    EXPECT_EQ(found.shape, shape) << found.name;
  }

  const Tensor wanted = read_npy(networks() / (network.tag + "_logits.npy"));
  const Graph graph = run_passes(traced, inference_passes());
  const std::vector<Tensor> weights = made_parameters(graph, network.gain);
  const Tensor input = made_input({network.rows, 3, network.side, network.side});
  const Tensor found = Program::compile(graph, weights, {}).run({&input, 1})[0];
  EXPECT_EQ(logit_difference(wanted, found), "");
}

INSTANTIATE_TEST_SUITE_P(Zoo, RecordedNetworks,
                         ::testing::Values("alexnet_n10_b1_227", "googlenet_n10_b2_224",
                                           "googlenet_n10_b2_224_he", "resnet18_n10_b2_64",
                                           "resnet18_n10_b2_224_he", "resnet18_n1001_b1_224_he",
                                           "resnet50_n10_b1_224", "resnet50_n10_b2_224_he",
                                           "resnet50_n1001_b1_224_he"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace tessera::testing
