#include "tessera/checkpoint/load_plan.h"

#include <gtest/gtest.h>

#include "tests/support/shared_data.h"

namespace tessera {
namespace {

TEST(LoadPlan, LoadsARealLeNetCheckpoint) {
  TESSERA_NEEDS_SHARED_DATA();
  const Checkpoint checkpoint =
      open_checkpoint(testing::shared_data() /
                      "ckpt/lenet/serving_lenet_ascend_v111_offical_cv_mnist_bs32_acc98.ckpt");
  const std::vector<Target> targets = targets_of(checkpoint.catalog);
  const std::vector<Tensor> tensors = load_tensors(checkpoint, targets);
  ASSERT_EQ(tensors.size(), targets.size());
  const Record* weight = checkpoint.catalog.find("conv1.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(describe(*weight), "f32[6,1,5,5]");
  for (const std::string& name : checkpoint.catalog.names()) printf("%s\n", name.c_str());
}

}  // namespace
}  // namespace tessera
