// --precision bf16: with its instructions where this processor has them, emulated where it has not,
// refused where they are taken away.
#include <cmath>

#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

/// Sets a variable for the programs that run while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

class InBf16 : public ProgramTest {
 protected:
  static Outcome tessera_bf16(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--precision", "bf16"});
    return run_tessera(arguments);
  }
  static void expect_refusal(const Outcome& outcome) {
    EXPECT_NE(outcome.status, 0);
    for (const char* part : {"bf16", "AVX512_BF16", "use f32"})
      EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  }
  std::string weights_ = digits("lenet5_digits.ckpt");
};

TEST_F(InBf16, IsRefusedWithAReasonWithoutItsInstructions) {
  const Variable less("TESSERA_SIMD", "avx2");
  for (const char* word : {"explain", "bench"}) expect_refusal(tessera_bf16({word, "lenet5"}));
  expect_refusal(tessera_bf16({"eval", "lenet5", "--weights", weights_, "--data", digit_rows()}));
}

TEST_F(InBf16, EvalGivesBothAccuraciesAndTheirDifference) {
  const Variable emulate("TESSERA_BF16", "emulate");
  const std::vector<std::string> words = {"eval",   "lenet5",     "--weights", weights_,
                                          "--data", digit_rows(), "--threads", "1"};
  std::vector<std::string> in_json = words;
  in_json.emplace_back("--json");
  const Outcome f32 = run_tessera(in_json);
  const Outcome bf16 = tessera_bf16(in_json);
  ASSERT_EQ(f32.status, 0) << f32.err;
  ASSERT_EQ(bf16.status, 0) << bf16.err;
  const std::string exact = bf16.out.substr(bf16.out.find("\"f32\""));
  EXPECT_EQ(number_in(exact, "correct"), number_in(f32.out, "correct"));
  const double rows = number_in(bf16.out, "rows");
  const double points =
      100 * (number_in(bf16.out, "correct") - number_in(f32.out, "correct")) / rows;
  EXPECT_NEAR(number_in(bf16.out, "accuracy_difference_points"), points, 1e-9);
  EXPECT_LT(std::abs(points), 1);
  const Outcome text = tessera_bf16(words);
  EXPECT_NE(text.out.find(" % in f32: "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find(" percentage points"), std::string::npos) << text.out;
}

TEST_F(InBf16, PredictGivesTheLargestDifferenceOfAnOutput) {
  const Variable emulate("TESSERA_BF16", "emulate");
  const std::vector<std::string> words = {"predict", "lenet5",     "--weights", weights_,
                                          "--data",  digit_rows(), "--limit",   "5"};
  const Outcome text = tessera_bf16(words);
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("bf16: largest difference from f32: "), std::string::npos) << text.out;
  std::vector<std::string> in_json = words;
  in_json.emplace_back("--json");
  const Outcome json = tessera_bf16(in_json);
  ASSERT_EQ(json.status, 0) << json.err;
  const double difference = number_in(json.out, "largest_difference_from_f32");
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, 1);
}

TEST_F(InBf16, ComputesWithTheInstructionsOrSaysThatTheyAreMissing) {
  const Outcome outcome = tessera_bf16({"explain", "resnet18", "--batch", "1"});
  if (outcome.status != 0) return expect_refusal(outcome);
  EXPECT_NE(outcome.out.find("bf16 avx512_bf16"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("not bf16: Winograd in f32"), std::string::npos) << outcome.out;
}

TEST_F(InBf16, DoesNotGoWithWhatComputesInF32) {
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"--deterministic"}, {"--kernels", "reference"}}) {
    std::vector<std::string> words = {"explain", "lenet5"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = tessera_bf16(words);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_NE(outcome.err.find("compute in f32"), std::string::npos) << outcome.err;
  }
  const Outcome other = run_tessera({"explain", "lenet5", "--precision", "f61"});
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("there are f32, bf16"), std::string::npos) << other.err;
}

}  // namespace
}  // namespace tessera::testing
