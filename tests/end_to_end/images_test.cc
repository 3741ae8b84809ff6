// Pictures in folders, evaluated and predicted, with files that cannot be read among them; the page
// of --report; CIFAR-10 with a trained network.
#include <algorithm>

#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kRows = 60;

class Images : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    rows_ = digit_rows();
    const std::string images = read_file(in_folder("digits/test/t10k-images-idx3-ubyte"));
    const std::string labels = read_file(in_folder("digits/test/t10k-labels-idx1-ubyte"));
    for (int i = 0; i < kRows; ++i) {
      const fs::path path = folder() / "classes" / std::to_string(labels[8 + i]) /
                            ("row" + std::to_string(100 + i) + ".pgm");
      fs::create_directories(path.parent_path());
      write_file(path, "P5\n28 28\n255\n" + images.substr(16 + 784 * i, 784));
    }
    for (int digit = 0; digit < 10; ++digit)
      fs::create_directories(folder() / "classes" / std::to_string(digit));
    data_ = "folder:" + in_folder("classes");
  }
  Outcome run(const std::string& word, std::vector<std::string> more) const {
    more.insert(more.begin(), {word, "lenet5", "--weights", weights_});
    return run_tessera(more);
  }
  std::string eval(std::vector<std::string> more) const {
    more.push_back("--json");
    const Outcome outcome = run("eval", std::move(more));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
  /// Two files that cannot be read, in the classes 0 and 4.
  void spoil() const {
    const std::string jpeg = read_file(source_dir() / "tests/corpora/jpeg/plain.jpg");
    write_file(folder() / "classes/0/cut.jpg", jpeg.substr(0, jpeg.size() / 2));
    write_file(folder() / "classes/4/x.gif", "GIF89a");
  }

  std::string weights_ = digits("lenet5_digits.ckpt");
  std::string rows_;
  std::string data_;
};

TEST_F(Images, AFolderOfClassesIsEvaluatedAsTheSameRowsOfTheDataSet) {
  const std::string limit = std::to_string(kRows);
  const double correct = number_in(eval({"--data", rows_, "--limit", limit}), "correct");
  EXPECT_GT(correct, 0.9 * kRows);
  for (const std::string batch : {"1", "32", "100"})
    EXPECT_EQ(number_in(eval({"--data", data_, "--batch", batch}), "correct"), correct) << batch;
}

TEST_F(Images, TheFirstFileThatCannotBeReadStopsWithItsNameAndByte) {
  spoil();
  const Outcome outcome = run("eval", {"--data", data_});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("it ends after byte"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("classes/0/cut.jpg"), std::string::npos) << outcome.err;
}

TEST_F(Images, SkipBadLeavesThemOutCountsThemAndNamesThem) {
  const double correct = number_in(eval({"--data", data_}), "correct");
  spoil();
  for (const std::string batch : {"1", "7", "100"}) {
    const std::string json = eval({"--data", data_, "--skip-bad", "--batch", batch});
    EXPECT_EQ(number_in(json, "correct"), correct);
    EXPECT_EQ(number_in(json, "rows"), kRows);
    EXPECT_NE(json.find("classes/0/cut.jpg"), std::string::npos) << json;
    EXPECT_NE(json.find("it is a GIF"), std::string::npos) << json;
  }
  const Outcome text = run("eval", {"--data", data_, "--skip-bad"});
  EXPECT_NE(text.out.find("2 rows left out because they cannot be read:"), std::string::npos)
      << text.out;
  EXPECT_NE(text.out.find("classes/4/x.gif: it is a GIF"), std::string::npos) << text.out;
}

TEST_F(Images, RanksLeaveOutTheSameRowsAndWriteOnePage) {
  spoil();
  const std::string alone = eval({"--data", data_, "--skip-bad", "--metrics", "accuracy,F1"});
  const std::string together = eval({"--data", data_, "--skip-bad", "--metrics", "accuracy,F1",
                                     "--ranks", "3", "--report", in_folder("page.html")});
  EXPECT_EQ(number_in(together, "correct"), number_in(alone, "correct"));
  EXPECT_EQ(number_in(together, "rows"), kRows);
  EXPECT_NE(together.find("classes/0/cut.jpg"), std::string::npos) << together;
  EXPECT_NE(together.find("it is a GIF"), std::string::npos) << together;
  const std::string page = read_file(in_folder("page.html"));
  EXPECT_NE(page.find("<dt>ranks</dt><dd>3</dd>"), std::string::npos);
  EXPECT_NE(page.find("2 left out"), std::string::npos);
}

TEST_F(Images, PredictionsCarryTheNamesOfFilesAndClasses) {
  write_file(folder() / "names.txt",
             "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
  const Outcome outcome =
      run("predict", {"--data", data_, "--labels", in_folder("names.txt"), "--limit", "1"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(".pgm, labelled 0 (zero)"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("%  zero"), std::string::npos) << outcome.out;
}

TEST_F(Images, LabelsOfAnotherModelAreTold) {
  write_file(folder() / "nine.txt", "0\n1\n2\n3\n4\n5\n6\n7\n8\n");
  write_file(folder() / "more.txt", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\nX\n");
  const std::string picture = in_folder("classes/0");
  const Outcome fewer = run("predict", {picture, "--labels", in_folder("nine.txt")});
  EXPECT_EQ(fewer.status, 0) << fewer.err;
  EXPECT_NE(fewer.err.find("name 9 of the 10 classes"), std::string::npos) << fewer.err;
  const Outcome more = run("predict", {picture, "--labels", in_folder("more.txt")});
  EXPECT_EQ(more.status, 1);
  EXPECT_NE(more.err.find("name 11 classes, the model has 10"), std::string::npos) << more.err;
}

TEST_F(Images, WithoutLabelsThereIsNothingToEvaluate) {
  const Outcome outcome = run("eval", {"--data", "folder:" + in_folder("classes/0")});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("has no labels to compare with"), std::string::npos) << outcome.err;
}

TEST_F(Images, AFolderAndFilesArePredictedInOneCallAndBadOnesAreToldApart) {
  spoil();
  const Outcome stopped = run("predict", {in_folder("classes/4")});
  EXPECT_EQ(stopped.status, 1);
  EXPECT_NE(stopped.err.find("it is a GIF"), std::string::npos) << stopped.err;
  const std::string jpeg = (source_dir() / "tests/corpora/jpeg/grey.jpg").string();
  const Outcome outcome =
      run("predict", {in_folder("classes/4"), jpeg, "--skip-bad", "--top", "1", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("\"error\": \"it is a GIF"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("grey.jpg"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("1 of "), std::string::npos) << outcome.err;
}

TEST_F(Images, MorePixelsThanAllowedAreNamed) {
  const Outcome outcome = run("eval", {"--data", data_, "--max-pixels", "783"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("a picture of 28×28 pixels; more than 783"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(run("eval", {"--data", data_, "--max-pixels", "no"}).status, 2);
}

class Page : public Images {
 protected:
  /// The page as a browser builds it, or "" where there is no browser.
  static std::string dom(const std::string& path) {
    for (const char* browser : {"chromium", "chromium-browser", "google-chrome"}) {
      const Outcome outcome = run_program(
          {browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "file://" + path});
      if (outcome.status == 0 && !outcome.out.empty()) return outcome.out;
    }
    return "";
  }
};

TEST_F(Page, ABrowserShowsMetricsConfusionMistakesAndPictures) {
  spoil();
  // Weights of nothing: every row a mistake of equal sureness but those of one class.
  const Outcome outcome =
      run("eval",
          {"--data", data_, "--skip-bad", "--metrics", "accuracy,loss,precision", "--report",
           in_folder("page.html"), "--transforms", "to_grey resize(32,32) rescale(0.0001) to_chw"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string page = dom(in_folder("page.html"));
  if (page.empty()) GTEST_SKIP() << "needs chromium";
  for (const char* part : {"<h2>Metrics</h2>", "<h2>Confusion</h2>", "<h2>Confused pairs</h2>",
                           "<h2>The surest mistakes</h2>", "<h2>Classes</h2>",
                           "<h2>Rows left out</h2>", "data:image/png;base64,iVBOR", "2 left out"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("http"), std::string::npos);
}

TEST_F(Page, AFolderThatIsNotThereIsSaidBeforeAnythingIsEvaluated) {
  const Outcome outcome = run("eval", {"--data", "folder:" + in_folder("no rows"), "--report",
                                       in_folder("nowhere/page.html")});
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.err.find("there is no folder " + in_folder("nowhere")), std::string::npos)
      << outcome.err;
}

class Cifar : public ProgramTest {};

TEST_F(Cifar, ResNet20HasTheAccuracyThatIsKnownOfItsWeights) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::string models = run_tessera({"models", "--json"}).out;
  if (models.find("\"resnet20\"") == std::string::npos) GTEST_SKIP() << "needs the model resnet20";
  const Outcome outcome = run_tessera(
      {"eval", "resnet20", "--weights", shared("ckpt/resnet20_cifar10/resnet20.ckpt"), "--data",
       "cifar10:" + shared("cifar10"), "--report", in_folder("page.html"), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(number_in(outcome.out, "correct"), 9173);
  EXPECT_EQ(number_in(outcome.out, "rows"), 10000);
  EXPECT_NE(read_file(in_folder("page.html")).find("automobile"), std::string::npos);
}

}  // namespace
}  // namespace tessera::testing
