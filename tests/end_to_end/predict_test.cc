#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

class Predict : public ProgramTest {
 protected:
  std::string weights_ = digits("lenet5_digits.ckpt");
};

TEST_F(Predict, RowsOfADataSetAreListedWithTheirTopClasses) {
  const Outcome outcome = run_tessera({"predict", "lenet5", "--weights", weights_, "--data",
                                       digit_rows(), "--limit", "3", "--top", "2", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  size_t count = 0;
  for (size_t at = outcome.out.find("\"probability\""); at != std::string::npos;
       at = outcome.out.find("\"probability\"", at + 1))
    ++count;
  EXPECT_EQ(count, 6U) << outcome.out;
}

TEST_F(Predict, APictureFileIsPredictedAsTheSameRowOfTheDataSet) {
  const std::string rows = digit_rows();
  const Outcome from_rows = run_tessera({"predict", "lenet5", "--weights", weights_, "--data", rows,
                                         "--limit", "1", "--top", "1", "--json"});
  ASSERT_EQ(from_rows.status, 0) << from_rows.err;
  const std::string images = read_file(in_folder("digits/test/t10k-images-idx3-ubyte"));
  write_file(in_folder("first.pgm"), "P5\n28 28\n255\n" + images.substr(16, 784));
  const Outcome from_file = run_tessera(
      {"predict", "lenet5", "--weights", weights_, in_folder("first.pgm"), "--top", "1", "--json"});
  ASSERT_EQ(from_file.status, 0) << from_file.err;
  EXPECT_EQ(number_in(from_rows.out, "class"), number_in(from_file.out, "class"));
  EXPECT_DOUBLE_EQ(number_in(from_rows.out, "probability"),
                   number_in(from_file.out, "probability"));
}

TEST_F(Predict, WithoutRowsItSaysWhatToGive) {
  const Outcome outcome = run_tessera({"predict", "lenet5", "--weights", weights_});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.err.find("--data"), std::string::npos) << outcome.err;
}

TEST_F(Predict, APipeGetsNoColoursAndNoProgress) {
  const Outcome outcome = run_tessera(
      {"predict", "lenet5", "--weights", weights_, "--data", digit_rows(), "--limit", "2"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find('\033'), std::string::npos);
  EXPECT_EQ(outcome.err, "");
}

}  // namespace
}  // namespace tessera::testing
