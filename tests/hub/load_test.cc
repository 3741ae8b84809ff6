// The tutorial's second part, end to end: hub::load of a card on a loopback server, whose asset is
// a checkpoint, gives the logits that MindSpore recorded for these weights.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tessera/base/error.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/model/hub.h"
#include "tests/hub/hub_server.h"
#include "tests/support/made_weights.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera::hub {
namespace {

using testing::card_text;
using testing::HubTest;

void expect_near(const Tensor& found, const Tensor& wanted) {
  ASSERT_EQ(found.shape(), wanted.shape());
  float largest = 0;
  for (const float logit : wanted.data<float>()) largest = std::max(largest, std::abs(logit));
  for (size_t i = 0; i < wanted.data<float>().size(); ++i)
    EXPECT_NEAR(found.data<float>()[i], wanted.data<float>()[i], 1e-4F * largest + 1e-5F);
}

class LoadTest : public HubTest {
 protected:
  void put_card(const std::string& uid, const std::string& model, const std::string& weights) {
    put("files/" + model + ".ckpt", weights);
    put(uid + ".md", card_text({.model = model,
                                .link = server().url("cutwhole/1/files/" + model + ".ckpt"),
                                .sha256 = testing::digest(weights),
                                .data_set = model == "GoogleNet" ? "cifar10" : "mnist"}));
  }
  LoadOptions load_options() {
    LoadOptions load;
    load.hub = server().url("ok");
    load.fetch = options();
    return load;
  }
  static std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string lenet_weights() {
    return content(testing::source_dir() / "examples/digits/lenet5_digits.ckpt");
  }
};

/// Writes the checkpoint that MindSpore's recorded logits belong to: weights by a rule.
void write_made_weights(const std::string& model, float gain, const std::filesystem::path& path) {
  const ModelSpec spec = parse_model(model);
  const Graph graph = trace(spec, 1, spec.model->row_shape(spec.options));
  CheckpointWriter writer(path, {.sync = false});
  const std::vector<Tensor> weights = testing::made_parameters(graph, gain);
  for (size_t i = 0; i < weights.size(); ++i)
    writer.add(graph.values[static_cast<size_t>(graph.parameters[i])].name, weights[i]);
  writer.finish();
}

TEST_F(LoadTest, TheTutorialsGooglenetGivesTheLogitsOfMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto folder = testing::shared_data() / "mindspore/networks";
  const std::string uid = "mindspore/ascend/0.7/googlenet_v1_cifar10";
  for (const auto& [tag, gain] :
       {std::pair("googlenet_n10_b2_224", 3.0F), std::pair("googlenet_n10_b2_224_he", 6.0F)}) {
    write_made_weights("googlenet(num_classes=10)", gain, www() / "made.ckpt");
    put_card(uid, "GoogleNet", content(www() / "made.ckpt"));
    LoadOptions options = load_options();
    options.num_classes = 10;
    Model net = load(uid, options);
    expect_near(net.predict(testing::made_input({2, 3, 224, 224})),
                testing::read_npy(folder / (std::string(tag) + "_logits.npy")));
    // The card's data set says the classes where nobody else does.
    options.num_classes.reset();
    EXPECT_EQ(to_string(load(uid, options).spec()), to_string(net.spec()));
  }
}

TEST_F(LoadTest, LenetFromAHubGivesTheLogitsOfMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto folder = testing::shared_data() / "mindspore/networks";
  put_card("mindspore/ascend/0.7/lenet_v1_mnist", "LeNet",
           content(folder / "lenet5_n10_b4_32.ckpt"));
  LoadOptions options = load_options();
  options.num_classes = 10;
  Model net = load("mindspore/ascend/0.7/lenet_v1_mnist", options);
  expect_near(net.predict(testing::made_input({4, 1, 32, 32})),
              testing::read_npy(folder / "lenet5_n10_b4_32_logits.npy"));
  EXPECT_EQ(server().requests("/cutwhole/1/"), 2U);
}

TEST_F(LoadTest, ACardIsAUidAUrlOrAPath) {
  put_card("test/1.0/lenet", "lenet", lenet_weights());
  LoadOptions options = load_options();
  const std::string uid = "test/1.0/lenet";
  const std::string url = server().url("ok/" + uid + ".md");
  const std::string page = server().url("ok/mshub_res/assets/" + uid);
  put("mshub_res/assets/" + uid + ".md", content(www() / (uid + ".md")));
  const std::string path = (www() / (uid + ".md")).string();
  for (const std::string& name : {uid, url, path, page, uid + ".md"})
    EXPECT_EQ(load(name, options).spec().model->name, "lenet5") << name;
  options.source = "local";
  EXPECT_EQ(load(path, options).spec().model->name, "lenet5");
  EXPECT_THROW(load(uid, options), Error);
  options.source = "github";
  EXPECT_THROW(load(uid, options), Error);
  EXPECT_EQ(server().requests("/cutwhole/1/"), 2U);
}

TEST_F(LoadTest, WithoutPretrainedNothingIsFetchedButTheCard) {
  put_card("test/1.0/lenet", "lenet", lenet_weights());
  LoadOptions options = load_options();
  options.pretrained = false;
  options.num_classes = 7;
  Model net = load("test/1.0/lenet", options);
  EXPECT_EQ(net.predict(Tensor(DType::kF32, {1, 1, 32, 32})).shape(), (Shape{1, 7}));
  EXPECT_EQ(server().requests(".ckpt"), 0U);
  const auto first = [&](const Model& model) {
    return model.weight("fc1.weight").data<float>()[0];
  };
  EXPECT_NE(first(net), 0.0F);
  EXPECT_EQ(first(load("test/1.0/lenet", options)), first(net));
  options.seed = 1;
  EXPECT_NE(first(load("test/1.0/lenet", options)), first(net));
}

TEST_F(LoadTest, ForceReloadFetchesTheFileAgain) {
  put_card("test/1.0/lenet", "lenet", lenet_weights());
  LoadOptions options = load_options();
  for (const bool force : {false, false, true}) {
    options.force_reload = force;
    load("test/1.0/lenet", options);
  }
  EXPECT_EQ(server().requests("/cutwhole/1/"), 3U);
  EXPECT_EQ(server().requests(".md"), 3U);
}

TEST_F(LoadTest, AnotherHeadMustBeAskedForByName) {
  put_card("test/1.0/lenet", "lenet", lenet_weights());
  LoadOptions options = load_options();
  options.num_classes = 3;
  EXPECT_THROW(load("test/1.0/lenet", options), Error);
  options.reinit = {"fc3.*"};
  const Model net = load("test/1.0/lenet", options);
  EXPECT_EQ(net.loaded().not_loaded, (std::vector<std::string>{"fc3.weight", "fc3.bias"}));
  EXPECT_NE(net.weight("fc2.weight").data<float>()[0], 0.0F);
  options.seed = 1;
  const Model other = load("test/1.0/lenet", options);
  for (const char* name : {"fc2.weight", "fc3.weight"})
    EXPECT_EQ(net.weight(name).data<float>()[0] == other.weight(name).data<float>()[0],
              name == std::string("fc2.weight"))
        << name << ": only what is new depends on the seed";
  options.reinit = {"head.*"};
  EXPECT_THROW(load("test/1.0/lenet", options), Error);
}

TEST_F(LoadTest, WhatTheZooLacksAndUnknownOptionsAreNamed) {
  put_card("test/1.0/x", "no_such_net", lenet_weights());
  put_card("test/1.0/lenet", "Le-Net", lenet_weights());
  const auto error = [&](const std::string& uid, const std::string& network_options) {
    LoadOptions options = load_options();
    options.options = network_options;
    try {
      load(uid, options);
    } catch (const Error& thrown) {
      return std::string(thrown.what());
    }
    return std::string();
  };
  EXPECT_NE(error("test/1.0/x", "").find("'no_such_net', which the zoo lacks"), std::string::npos);
  EXPECT_EQ(server().requests(".ckpt"), 0U);
  EXPECT_NE(error("test/1.0/lenet", "include_top=false").find("no option 'include_top'"),
            std::string::npos);
  EXPECT_EQ(error("test/1.0/lenet", "num_channel=1"), "");
}

TEST_F(LoadTest, ACodeArchiveIsNeitherRunNorTakenForWeights) {
  put_card("test/1.0/lenet", "lenet", "#!/bin/sh\ntouch " + (folder() / "owned").string() + "\n");
  EXPECT_THROW(load("test/1.0/lenet", load_options()), Error);
  EXPECT_FALSE(std::filesystem::exists(folder() / "owned"));
  EXPECT_EQ(server().requests("repo"), 0U);
}

}  // namespace
}  // namespace tessera::hub
