// digest and diff, on checkpoints that reshard has cut.
#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

class CompareWords : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    whole_ = digits("lenet5_digits.ckpt");
    write_file(in_folder("three.txt"),
               "mesh {tp=3}\nconv*.weight [tp, -, -, -]\nfc1.weight [-, tp]\n*  [...]\n");
    write_file(in_folder("four.txt"), "mesh {dp=2,tp=2}\nfc?.weight [tp, -]\n*  [...]\n");
    for (const std::string how : {"three", "four"})
      EXPECT_EQ(run({"reshard", whole_, "--to", in_folder(how + ".txt"), "-o", in_folder(how),
                     "--no-fsync", "--quiet"})
                    .status,
                0);
  }

  static Outcome run(const std::vector<std::string>& arguments) { return run_tessera(arguments); }

  std::string digest(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "digest");
    arguments.emplace_back("--quiet");
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out.size(), 33U) << outcome.out;
    return outcome.out;
  }

  /// The same file with one byte of its last tensor changed.
  std::string changed(const std::string& path, const std::string& name) {
    std::string bytes = read_file(path);
    bytes[bytes.size() - 40] = static_cast<char>(bytes[bytes.size() - 40] ^ 1);
    write_file(in_folder(name), bytes);
    return in_folder(name);
  }

  std::string whole_;
};

TEST_F(CompareWords, TheDigestIsThatOfTheWholeHoweverItIsCut) {
  const std::string wanted = digest({whole_});
  EXPECT_EQ(digest({in_folder("three"), "--from", in_folder("three.txt")}), wanted);
  EXPECT_EQ(digest({in_folder("four"), "--from", in_folder("four.txt"), "--check-replicas"}),
            wanted);
  EXPECT_EQ(digest({in_folder("four"), "--memory", "1MiB"}), wanted) << "the result knows its cut";
  EXPECT_NE(digest({changed(whole_, "other.ckpt")}), wanted);
  EXPECT_NE(digest({whole_, "--except", "fc3.*"}), wanted);
}

TEST_F(CompareWords, TheDigestPrintsATableAndJson) {
  const Outcome text = run({"digest", whole_});
  EXPECT_NE(text.out.find("conv1.weight"), std::string::npos);
  EXPECT_NE(text.out.find("f32[6,1,5,5]"), std::string::npos);
  const Outcome json = run({"digest", in_folder("three"), "--json"});
  EXPECT_EQ(json.status, 0) << json.err;
  EXPECT_EQ(number_in(json.out, "ranks"), 3);
  EXPECT_NE(json.out.find(digest({whole_}).substr(0, 32)), std::string::npos);
}

TEST_F(CompareWords, DiffSaysEqualWithStatusNought) {
  const Outcome outcome = run({"diff", in_folder("three"), in_folder("four")});
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("8 entries equal"), std::string::npos) << outcome.out;
  const Outcome with_strategies =
      run({"diff", in_folder("three"), whole_, "--from-a", in_folder("three.txt"), "--quiet"});
  EXPECT_EQ(with_strategies.status, 0);
  EXPECT_EQ(with_strategies.out, "");
}

TEST_F(CompareWords, DiffSaysWhatDiffersWithStatusOne) {
  const std::string other = changed(whole_, "other.ckpt");
  const Outcome text = run({"diff", in_folder("four"), other});
  EXPECT_EQ(text.status, 1);
  EXPECT_EQ(text.err, "");
  EXPECT_NE(text.out.find("1 of "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("7 entries equal, 1 entry different"), std::string::npos) << text.out;
  const Outcome json = run({"diff", whole_, other, "--json"});
  EXPECT_EQ(json.status, 1);
  EXPECT_NE(json.out.find("\"equal\": false"), std::string::npos) << json.out;
  EXPECT_EQ(number_in(json.out, "differing"), 1);
  const Outcome tolerated = run({"diff", whole_, other, "--rtol", "0.01"});
  EXPECT_EQ(tolerated.status, 0) << tolerated.out;
  EXPECT_NE(tolerated.out.find("within tolerance"), std::string::npos) << tolerated.out;
  const Outcome fewer = run({"diff", whole_, in_folder("three"), "--except", "conv1.*"});
  EXPECT_EQ(fewer.status, 0) << "--except holds for both: " << fewer.out;
  const Outcome renamed = run({"diff", whole_, whole_, "--rename", "fc3.*=head.*"});
  EXPECT_EQ(renamed.status, 1);
  EXPECT_NE(renamed.out.find("only in A"), std::string::npos) << renamed.out;
  EXPECT_NE(renamed.out.find("only in B"), std::string::npos) << renamed.out;
}

TEST_F(CompareWords, ErrorsGoToStderr) {
  const Outcome missing = run({"diff", whole_, in_folder("nowhere")});
  EXPECT_EQ(missing.status, 1);
  EXPECT_EQ(missing.out, "");
  EXPECT_EQ(missing.err.rfind("error:", 0), 0U) << missing.err;
  EXPECT_NE(missing.err.find("nowhere"), std::string::npos);
  EXPECT_EQ(run({"diff", whole_, whole_, "--rtol", "-1"}).status, 2);
  EXPECT_EQ(run({"diff", whole_}).status, 2);
  EXPECT_EQ(run({"digest", whole_, "--check-replicas", "--no-check-replicas"}).status, 2);
}

}  // namespace
}  // namespace tessera::testing
