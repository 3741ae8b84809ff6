// Accuracies that MindSpore 2.10 itself measured (../shared/data/README.md), and the embedded
// example against what MindSpore's Model.eval printed for it.
#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

constexpr const char* kServing =
    "ckpt/lenet/serving_lenet_ascend_v111_offical_cv_mnist_bs32_acc98.ckpt";
constexpr const char* kWithoutScaling = "resize(32,32) rescale(1/255) to_chw";

class Eval : public ProgramTest {
 protected:
  static std::string eval(const std::string& model, const std::string& weights,
                          std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"eval",          model,    "--weights",
                                       shared(weights), "--data", "mnist:" + shared("mnist"),
                                       "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
};

TEST_F(Eval, TheAscendCheckpointGivesMindSporesAccuracyWithBothPreprocessings) {
  TESSERA_NEEDS_SHARED_DATA();
  EXPECT_EQ(number_in(eval("lenet5", kServing), "correct"), 9867);
  EXPECT_EQ(number_in(eval("lenet5", kServing, {"--transforms", kWithoutScaling}), "correct"),
            9850);
}

TEST_F(Eval, TheReferenceKernelsAloneGiveTheSame) {
  TESSERA_NEEDS_SHARED_DATA();
  EXPECT_EQ(number_in(eval("lenet5", kServing, {"--kernels", "reference"}), "correct"), 9867);
}

TEST_F(Eval, TheBatchSizeAndThreadsDoNotChangeTheCount) {
  TESSERA_NEEDS_SHARED_DATA();
  for (const char* batch : {"1", "7", "256", "10000"})
    EXPECT_EQ(number_in(eval("lenet5", kServing, {"--batch", batch}), "correct"), 9867) << batch;
  EXPECT_EQ(number_in(eval("lenet5", kServing, {"--threads", "1"}), "correct"), 9867);
}

TEST_F(Eval, LossCountsEveryBatchOnceAsMindSporesLossDoes) {
  TESSERA_NEEDS_SHARED_DATA();
  const char* weights = "ckpt/lenet/XuMian_checkpoint_lenet-1_1875.ckpt";
  const std::string all = eval("lenet5", weights, {"--metrics", "accuracy,loss"});
  EXPECT_EQ(number_in(all, "correct"), 9682);
  EXPECT_NEAR(number_in(all, "loss"), 0.0975785, 1e-6);
  const std::string dropped =
      eval("lenet5", weights, {"--metrics", "accuracy,loss", "--drop-remainder"});
  EXPECT_DOUBLE_EQ(number_in(dropped, "accuracy"), 0.9681490384615384);
  EXPECT_NEAR(number_in(dropped, "loss"), 0.0978873, 1e-6);
  EXPECT_EQ(number_in(dropped, "rows"), 9984);
}

TEST_F(Eval, OtherCheckpointsGiveTheirRecordedCounts) {
  TESSERA_NEEDS_SHARED_DATA();
  EXPECT_EQ(
      number_in(eval("lenet5", "ckpt/lenet/YuLiang28_checkpoint_lenet-1_1875.ckpt"), "correct"),
      9645);
  EXPECT_EQ(number_in(eval("lenet5", "ckpt/lenet/Qishna_LeNet5_19_step.ckpt"), "correct"), 958);
  EXPECT_EQ(number_in(eval("mlp", "ckpt/quickstart_mlp/Alexisphysics2811_model.ckpt"), "correct"),
            9377);
  const std::string tinygrad =
      eval("mlp(hidden=[128],activation=leaky_relu,bias=false)",
           "safetensors/mnist-tinygrad/model.safetensors",
           {"--transforms", "rescale(1/255)", "--rename", "l1.*=dense_relu_sequential.0.*",
            "--rename", "l2.*=dense_relu_sequential.2.*"});
  EXPECT_EQ(number_in(tinygrad, "correct"), 9097);
}

TEST_F(Eval, TopKMetricsAgreeWithMindSpores) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::string json = eval("lenet5", "ckpt/lenet/XuMian_checkpoint_lenet-1_1875.ckpt",
                                {"--metrics", "top_1_accuracy,top_5_accuracy"});
  EXPECT_DOUBLE_EQ(number_in(json, "top_1_accuracy"), 0.9682);
  EXPECT_DOUBLE_EQ(number_in(json, "top_5_accuracy"), 0.9997);
}

TEST_F(Eval, TheEmbeddedExampleGivesTheAccuracyThatMindSporePrinted) {
  const std::string expected = read_file(digits("expected.json"));
  const Outcome outcome = run_tessera({"eval", "lenet5", "--weights", digits("lenet5_digits.ckpt"),
                                       "--data", digit_rows(), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(number_in(outcome.out, "correct"), number_in(expected, "correct"));
  EXPECT_EQ(number_in(outcome.out, "rows"), number_in(expected, "rows"));
  EXPECT_DOUBLE_EQ(number_in(outcome.out, "accuracy"), number_in(expected, "accuracy"));
}

TEST_F(Eval, TheCheckpointThatTesseraTrainedIsAsGood) {
  const Outcome outcome =
      run_tessera({"eval", "lenet5", "--weights", digits("lenet5_digits_tessera.ckpt"), "--data",
                   digit_rows(), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(number_in(outcome.out, "correct"), 2956);
}

TEST_F(Eval, AModelThatDoesNotFitTheFileIsRefusedWithTheNearestNames) {
  const Outcome outcome = run_tessera(
      {"eval", "mlp", "--weights", digits("lenet5_digits.ckpt"), "--data", digit_rows()});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("dense_relu_sequential.0.weight"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("lenet5_digits.ckpt"), std::string::npos) << outcome.err;
}

TEST_F(Eval, AFileThatFillsNothingIsRefusedEvenLeniently) {
  const Outcome outcome = run_tessera({"eval", "mlp", "--weights", digits("lenet5_digits.ckpt"),
                                       "--data", "digits:test", "--limit", "10", "--lenient"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("nothing that the file holds"), std::string::npos) << outcome.err;
}

TEST_F(Eval, ATrainingFileWithMoreThanTheNetworkIsReportedNotRefused) {
  TESSERA_NEEDS_SHARED_DATA();
  const Outcome outcome = run_tessera({"eval", "lenet5", "--weights",
                                       shared("ckpt/lenet/XuMian_checkpoint_lenet-1_1875.ckpt"),
                                       "--data", "mnist:" + shared("mnist"), "--limit", "64"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("moments.conv1.weight"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace tessera::testing
