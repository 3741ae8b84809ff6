// The command line itself: help, exit codes, which stream says what.
#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

const std::vector<std::string> kWords{
    "completion",       "convert", "eval", "explain", "inspect", "layout",
    "merge-strategies", "models",  "ops",  "predict", "verify"};

TEST(Usage, EveryWordHasHelpWithExamples) {
  const Outcome top = run_tessera({"--help"});
  EXPECT_EQ(top.status, 0);
  for (const std::string& word : kWords) {
    EXPECT_NE(top.out.find(word), std::string::npos) << word;
    const Outcome help = run_tessera({word, "--help"});
    EXPECT_EQ(help.status, 0) << word;
    EXPECT_NE(help.out.find("Examples:\n  "), std::string::npos) << word;
    EXPECT_EQ(help.err, "") << word;
  }
}

TEST(Usage, AWrongCommandLineIsStatusTwoOnStderr) {
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"evaluate"},
      {"eval"},
      {"eval", "lenet5", "--bach", "3"},
      {"inspect"},
      {"eval", "lenet5", "--weights", "a", "--data", "b", "--batch", "many"},
      {"eval", "lenet5", "--weights", "a", "--data", "b", "--batch", "0"},
      {"eval", "lenet5", "--weights", "a", "--data", "b", "--metrics", "acuracy"},
      {"eval", "lenet5", "--weights", "a", "--data", "b", "--threads", "-1"},
      {"bench", "lenet5", "--threads", "2", "--streams", "3"},
      {"bench", "lenet5", "--streams", "0"},
      {"explain", "lenet6"},
      {"explain", "lenet5", "--allow", "x"},
      {"explain", "lenet5(num_classes=7,num_classes=8)"},
      {"convert", "a", "b.ckpt", "--key-file", "k"},
      {"convert", "a", "b.ckpt", "--cast", "f99"},
      {"completion", "tcsh"},
      {"ops", "conv3d"}};
  for (const auto& arguments : wrong) {
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, 2) << (arguments.empty() ? "" : arguments.back());
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err.rfind("error: ", 0), 0U) << outcome.err;
  }
}

TEST(Usage, AMistypedWordOrOptionIsAnsweredWithTheNearest) {
  EXPECT_NE(run_tessera({"evla"}).err.find("'eval'"), std::string::npos);
  const Outcome outcome = run_tessera({"inspect", "x", "--jsn"});
  EXPECT_NE(outcome.err.find("'--json'"), std::string::npos) << outcome.err;
}

TEST(Usage, AWrongInputIsStatusOneAndOneClearError) {
  const std::vector<std::vector<std::string>> wrong{
      {"inspect", "absent.ckpt"},
      {"verify", "absent.safetensors"},
      {"eval", "lenet5", "--weights", "absent.ckpt", "--data", "mnist:absent"}};
  for (const auto& arguments : wrong) {
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, 1) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err.rfind("error: ", 0), 0U) << outcome.err;
  }
}

TEST(Usage, CompletionScriptsNameEveryWordAndParse) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = run_tessera({"completion", shell});
    EXPECT_EQ(outcome.status, 0);
    for (const std::string& word : kWords)
      EXPECT_NE(outcome.out.find(word), std::string::npos) << shell << " " << word;
  }
  const Outcome script = run_tessera({"completion", "bash"});
  EXPECT_EQ(run_program({"bash", "-n", "-c", script.out}).status, 0);
}

TEST(Usage, ListsArePrintedAsTablesAndAsJson) {
  for (const std::string word : {"models", "ops"}) {
    EXPECT_EQ(run_tessera({word}).status, 0);
    const Outcome json = run_tessera({word, "--json"});
    EXPECT_EQ(json.out.front(), '[') << word;
  }
  EXPECT_NE(run_tessera({"--version"}).out.find("tessera "), std::string::npos);
}

TEST(Usage, ExplainShowsKernelsAndMemoryWithoutACheckpoint) {
  const Outcome outcome = run_tessera({"explain", "lenet5", "--batch", "4"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  for (const char* text : {"conv2d+relu of conv1", "memory", "weights: 261.0 KiB"})
    EXPECT_NE(outcome.out.find(text), std::string::npos) << text << "\n" << outcome.out;
  // Which one depends on the processor.
  const auto names = [&](const char* kernel) {
    return outcome.out.find(kernel) != outcome.out.npos;
  };
  EXPECT_TRUE(names(" direct ") || names(" onednn ") || names(" reference ")) << outcome.out;
}

TEST(Usage, AClosedOutputIsAnErrorNotASilence) {
  const Outcome outcome = run_program({"bash", "-c", "\"$TESSERA_PROGRAM\" models > /dev/full"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("could not be written"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace tessera::testing
