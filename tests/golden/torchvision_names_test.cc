// The maps of docs/how-to/pytorch-names.md send the names that torchvision gives its networks to
// exactly the parameters of the zoo's.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "tessera/base/text.h"
#include "tessera/checkpoint/name_map.h"
#include "tessera/io/file.h"
#include "tessera/zoo/zoo.h"
#include "tests/support/run_program.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

using Names = std::vector<std::string>;

/// Names as torchvision's modules make them.
class TorchNames {
 public:
  void weight(const std::string& layer) { names_.push_back(layer + ".weight"); }
  void dense(const std::string& layer) {
    weight(layer);
    names_.push_back(layer + ".bias");
  }
  void norm(const std::string& layer) {
    dense(layer);
    for (const char* word : {"running_mean", "running_var", "num_batches_tracked"})
      names_.push_back(layer + "." + word);
  }
  void conv_norm(const std::string& conv, const std::string& bn) {
    weight(conv);
    norm(bn);
  }
  Names take() { return std::move(names_); }

 private:
  Names names_;
};

/// Blocks of `convs` convolutions; a shortcut in the first one of each stage, `first` says whether
/// in that of the first stage too.
Names resnet(const std::vector<int>& depths, int convs, bool first) {
  TorchNames names;
  names.conv_norm("conv1", "bn1");
  for (size_t stage = 0; stage < depths.size(); ++stage) {
    for (int block = 0; block < depths[stage]; ++block) {
      const std::string layer = fmt::format("layer{}.{}", stage + 1, block);
      for (int i = 1; i <= convs; ++i)
        names.conv_norm(fmt::format("{}.conv{}", layer, i), fmt::format("{}.bn{}", layer, i));
      if (block == 0 && (first || stage > 0))
        names.conv_norm(layer + ".downsample.0", layer + ".downsample.1");
    }
  }
  names.dense("fc");
  return names.take();
}

Names googlenet() {
  TorchNames names;
  const auto conv = [&](const std::string& layer) {
    names.conv_norm(layer + ".conv", layer + ".bn");
  };
  for (const char* layer : {"conv1", "conv2", "conv3"}) conv(layer);
  for (const char* block : {"3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"})
    for (const char* branch : {"1", "2.0", "2.1", "3.0", "3.1", "4.1"})
      conv(fmt::format("inception{}.branch{}", block, branch));
  for (const char* aux : {"aux1", "aux2"}) {
    conv(fmt::format("{}.conv", aux));
    names.dense(fmt::format("{}.fc1", aux));
    names.dense(fmt::format("{}.fc2", aux));
  }
  names.dense("fc");
  return names.take();
}

Names mobilenet_v2() {
  TorchNames names;
  names.conv_norm("features.0.0", "features.0.1");
  for (int i = 1; i <= 17; ++i) {
    const std::string conv = fmt::format("features.{}.conv", i);
    const int blocks = i == 1 ? 1 : 2;
    for (int b = 0; b < blocks; ++b)
      names.conv_norm(fmt::format("{}.{}.0", conv, b), fmt::format("{}.{}.1", conv, b));
    names.conv_norm(fmt::format("{}.{}", conv, blocks), fmt::format("{}.{}", conv, blocks + 1));
  }
  names.conv_norm("features.18.0", "features.18.1");
  names.dense("classifier.1");
  return names.take();
}

Names densenet121() {
  TorchNames names;
  names.conv_norm("features.conv0", "features.norm0");
  const int depths[] = {6, 12, 24, 16};
  for (int b = 1; b <= 4; ++b) {
    for (int i = 1; i <= depths[b - 1]; ++i) {
      const std::string layer = fmt::format("features.denseblock{}.denselayer{}", b, i);
      names.conv_norm(layer + ".conv1", layer + ".norm1");
      names.conv_norm(layer + ".conv2", layer + ".norm2");
    }
    const std::string transition = fmt::format("features.transition{}", b);
    if (b < 4) names.conv_norm(transition + ".conv", transition + ".norm");
  }
  names.norm("features.norm5");
  names.dense("classifier");
  return names.take();
}

Names vgg16() {
  TorchNames names;
  for (const int i : {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28})
    names.dense(fmt::format("features.{}", i));
  for (const int i : {0, 3, 6}) names.dense(fmt::format("classifier.{}", i));
  return names.take();
}

Names squeezenet() {
  TorchNames names;
  names.dense("features.0");
  for (const int i : {3, 4, 5, 7, 8, 9, 10, 12})
    for (const char* part : {"squeeze", "expand1x1", "expand3x3"})
      names.dense(fmt::format("features.{}.{}", i, part));
  names.dense("classifier.1");
  return names.take();
}

/// Runs the page's blocks that write maps.
void write_maps(const std::filesystem::path& folder) {
  const std::string page = read_text(source_dir() / "docs/how-to/pytorch-names.md");
  std::string script = fmt::format("set -e\nTMP={}\n", folder.string());
  size_t count = 0;
  for (size_t at = page.find("```sh\n"); at != std::string::npos; at = page.find("```sh\n", at)) {
    at += 6;
    const std::string block = page.substr(at, page.find("```\n", at) - at);
    if (block.find(".txt") == std::string::npos || block.find("tessera ") != std::string::npos)
      continue;
    script += block;
    ++count;
  }
  ASSERT_GE(count, 7U);
  ASSERT_EQ(run_program({"bash", "-c", script}).status, 0);
}

TEST(TorchvisionNames, EveryMapOfThePageIsOneToOneWithItsNetwork) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "tessera_torchvision_names";
  std::filesystem::create_directories(folder);
  ASSERT_NO_FATAL_FAILURE(write_maps(folder));
  struct Case {
    std::string model;
    std::string map;
    Names names;
  };
  const Case cases[] = {{"resnet18", "resnet18", resnet({2, 2, 2, 2}, 2, false)},
                        {"resnet34", "resnet18", resnet({3, 4, 6, 3}, 2, false)},
                        {"resnet50", "resnet50", resnet({3, 4, 6, 3}, 3, true)},
                        {"resnet101", "resnet50", resnet({3, 4, 23, 3}, 3, true)},
                        {"resnext50", "resnext50", resnet({3, 4, 6, 3}, 3, true)},
                        {"googlenet", "googlenet", googlenet()},
                        {"mobilenet_v2", "mobilenet_v2", mobilenet_v2()},
                        {"vgg16(batch_norm=false,bias=true)", "vgg16", vgg16()},
                        {"squeezenet", "squeezenet", squeezenet()},
                        {"densenet121", "densenet121", densenet121()}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.model);
    const ModelSpec spec = parse_model(one.model);
    const Graph graph = trace(spec, 1, spec.model->row_shape(spec.options));
    Names wanted;
    for (const ValueId id : graph.parameters)
      wanted.push_back(graph.values[static_cast<size_t>(id)].name);
    const Names entry{(folder / (one.map + ".txt")).string()};
    Names mapped = map_names(one.names, read_name_map(entry), wanted);
    std::erase(mapped, "");
    EXPECT_EQ(std::set<std::string>(mapped.begin(), mapped.end()),
              std::set<std::string>(wanted.begin(), wanted.end()));
    EXPECT_EQ(mapped.size(), wanted.size());
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tessera::testing
