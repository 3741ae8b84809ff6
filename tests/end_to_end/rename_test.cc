// Name maps through every word that opens a checkpoint.
#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

class Rename : public ProgramTest {
 protected:
  /// A copy of the LeNet-5 under other names.
  std::string moved() const {
    const std::string copy = in_folder("moved.safetensors");
    const Outcome made = run_tessera({"convert", weights_, copy, "--rename", "fc*.*=head.*.*",
                                      "--rename", "conv2.weight=body.weight"});
    EXPECT_EQ(made.status, 0) << made.err;
    return copy;
  }
  std::string map(const std::string& text) const {
    write_file(in_folder("map.txt"), text);
    return in_folder("map.txt");
  }
  static std::string digest(std::vector<std::string> words) {
    words.insert(words.begin(), {"digest", "--quiet"});
    const Outcome outcome = run_tessera(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }

  const std::string weights_ = digits("lenet5_digits.ckpt");
  const std::string back_ = "# back\nhead.*.* = fc*.*\n\nbody.* = conv2.*\n";
};

TEST_F(Rename, AMapInAFileLoadsWhatItsInverseMade) {
  const std::string rows = digit_rows();
  const auto correct = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"eval",    "lenet5", "--data", rows,
                                   "--limit", "200",    "--json", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_tessera(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return number_in(outcome.out, "correct");
  };
  EXPECT_EQ(correct({"--weights", moved(), "--rename", map(back_)}),
            correct({"--weights", weights_}));
}

TEST_F(Rename, TheWordsWithoutANetworkTakeTheSameMaps) {
  const std::string file = map(back_);
  const std::string copy = moved();
  const std::string wanted = digest({weights_});
  EXPECT_EQ(digest({copy, "--rename", file}), wanted);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"convert", copy, in_folder("a.ckpt"), "--rename", file},
        std::vector<std::string>{"reshard", copy, "--whole", "-o", in_folder("a.ckpt"), "--force",
                                 "--rename", file}}) {
    const Outcome outcome = run_tessera(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(digest({in_folder("a.ckpt")}), wanted) << words[0];
  }
}

TEST_F(Rename, ARuleWithNothingOnTheRightLeavesRecordsOut) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"convert", weights_, in_folder("a.ckpt")},
        std::vector<std::string>{"reshard", weights_, "--whole", "--force", "-o",
                                 in_folder("a.ckpt")}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--rename", "fc*="});
    EXPECT_EQ(run_tessera(all).status, 0);
    const Outcome listed = run_tessera({"inspect", in_folder("a.ckpt")});
    EXPECT_NE(listed.out.find("conv2.weight"), std::string::npos);
    EXPECT_EQ(listed.out.find("fc1"), std::string::npos) << words[0];
  }
}

TEST_F(Rename, AMapThatIsNotOneToOneIsRefusedWithAllNames) {
  const std::string copy = moved();
  const auto refusal = [&](const std::string& text) {
    const Outcome outcome = run_tessera(
        {"predict", "lenet5", "--weights", copy, "--rename", map(text), "--data", "digits:test"});
    EXPECT_NE(outcome.status, 0);
    return outcome.err;
  };
  const auto expect = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  expect(refusal("body.*=conv2.*\n"),
         "6 stored names to no parameter of the network: head.1.bias, head.1.weight");
  expect(refusal("head.*.*=fc*.*\n"), "nothing fills conv2.weight");
  expect(refusal(back_ + "tail.*=fc4.*\nbdy=x\n"),
         "the renaming 'tail.*=fc4.*' matches no name; the renaming 'bdy=x' matches no name");
  const std::string twice =
      refusal("body.*=conv2.*\nhead.*.weight=fc1.weight\nhead.*.bias=fc1.bias\n");
  expect(twice, "'head.1.weight' and 'head.2.weight' would both be called 'fc1.weight'");
  expect(twice, "'head.1.bias' and 'head.3.bias' would both be called 'fc1.bias'");
}

TEST_F(Rename, PyTorchsNamesWithMindSporesArithmeticAreRemarkedOn) {
  // Said before anything is loaded, so that weights of no network of these are enough to see it.
  const auto is_told = [&](const std::string& model) {
    const Outcome outcome =
        run_tessera({"explain", model, "--weights", weights_, "--rename", "pytorch"});
    return outcome.err.find("want resnet18(variant=torchvision)") != std::string::npos;
  };
  EXPECT_TRUE(is_told("resnet18"));
  EXPECT_FALSE(is_told("resnet18(variant=torchvision)"));
  EXPECT_FALSE(is_told("resnet18(variant=mindspore)"));
  EXPECT_FALSE(is_told("lenet5"));
}

}  // namespace
}  // namespace tessera::testing
