// Which networks MindSpore Hub's own cards stand for.
#include "tessera/model/hub.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tessera/hub/card_index.h"
#include "tests/support/shared_data.h"

namespace tessera::hub {
namespace {

std::string network_of(const std::string& uid, const std::string& options = "") {
  LoadOptions load;
  load.hub = (testing::shared_data() / "hub").string();
  load.pretrained = false;
  load.options = options;
  return to_string(resolve(uid, load).spec);
}

TEST(HubCards, StandForTheVariantOfTheirVersionAndDataSet) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::map<std::string, std::string> wanted{
      {"mindspore/ascend/0.7/googlenet_v1_cifar10", "googlenet"},
      {"mindspore/ascend/0.7/resnet50_v1.5_cifar10", "resnet50"},
      {"mindspore/ascend/1.1/resnet101_v1.1_imagenet2012", "resnet101"},
      {"mindspore/ascend/1.1/se_resnet50_v1.1_imagenet2012", "se_resnet50"},
      {"mindspore/ascend/1.1/squeezenet_v1.1_imagenet", "squeezenet(num_classes=1000)"},
      {"newer/mindspore/1.3/resnet18_cifar10", "resnet18(variant=res_base)"},
      {"newer/mindspore/1.3/resnet18_imagenet2012", "resnet18(num_classes=1001,variant=res_base)"},
      {"newer/mindspore/1.10/resnet18_cifar10", "resnet18(variant=res_base)"},
      {"newer/mindspore/1.10/resnet50_imagenet2012", "resnet50(num_classes=1001)"},
      {"newer/mindspore/1.10/seresnet50_imagenet2012", "se_resnet50"},
      {"newer/mindspore/1.10/resnext50_imagenet2012", "resnext50"},
      {"newer/mindspore/1.10/densenet121_imagenet2012", "densenet121"},
      {"newer/mindspore/1.10/googlenet_imagenet2012", "googlenet(num_classes=1000)"},
      {"newer/mindspore/1.10/squeezenetresidual_cifar10", "squeezenet(bypass=true)"},
      {"newer/mindspore/1.3/squeezenetresidual_imagenet2012",
       "squeezenet(num_classes=1000,bypass=true)"},
      {"newer/mindspore/1.10/vgg16_cifar10", "vgg16"},
      {"newer/mindspore/1.10/vgg16_imagenet2012",
       "vgg16(num_classes=1000,batch_norm=false,bias=true)"},
      {"newer/mindspore/1.10/lenet_mnist", "lenet5"}};
  for (const auto& [uid, network] : wanted) EXPECT_EQ(network_of(uid), network) << uid;
}

TEST(HubCards, GiveWayToWhatTheUserSays) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::string uid = "newer/mindspore/1.10/resnet18_imagenet2012";
  EXPECT_EQ(network_of(uid, "variant=mindspore,num_classes=7"), "resnet18(num_classes=7)");
  EXPECT_THROW(network_of(uid, "variants=mindspore"), Error);
}

TEST(HubCards, ThatNameAFamilyStandForWhatTheyThemselvesAreCalled) {
  // As the cards of MindSpore 1.2 have it: "resnet" for every depth, and "v1.2" for 1.2.
  const auto spec_text = [](const std::string& name, const std::string& model,
                            const std::string& data) {
    const std::filesystem::path folder =
        std::filesystem::path(::testing::TempDir()) / "family_of_cards";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / (name + ".md"))
        << "---\nmodel-name: " << model << "\nmindspore-version: v1.2\ntrain-dataset: " << data
        << "\n---\n";
    LoadOptions load;
    load.hub = folder.string();
    load.pretrained = false;
    return to_string(resolve(name, load).spec);
  };
  EXPECT_EQ(spec_text("resnet18_v1.2_imagenet2012", "resnet", "imagenet2012"),
            "resnet18(num_classes=1001,variant=res_base)");
  EXPECT_EQ(spec_text("resnet50thor_v1.2_cifar10", "resnet_thor", "CIFAR-10"), "resnet50");
  EXPECT_EQ(spec_text("resnet50se_v1.2_imagenet2012", "resnet50se", "imagenet2012"), "se_resnet50");
  EXPECT_THROW(spec_text("resnet152_v1.2_imagenet2012", "resnet", "imagenet2012"), Error);
  EXPECT_THROW(spec_text("resnet50_v1.2_coco2017", "ssd", "coco2017"), Error);
}

TEST(HubCards, OfNetworksThatTheZooHasAllBuild) {
  TESSERA_NEEDS_SHARED_DATA();
  int built = 0;
  for (const Card& card : open_folder(testing::shared_data() / "hub")->all()) {
    if (!card.is_read || model_of(card) == nullptr) continue;
    const ModelSpec spec = parse_model(network_of(card.uid));
    EXPECT_EQ(trace(spec, 1, spec.model->row_shape(spec.options)).outputs.size(), 1U) << card.uid;
    ++built;
  }
  EXPECT_GT(built, 60);
}

}  // namespace
}  // namespace tessera::hub
