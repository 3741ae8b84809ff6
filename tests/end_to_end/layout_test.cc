// layout, merge-strategies, and what inspect says of a strategy file.
#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

class LayoutWord : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    write_file(in_folder("layouts.txt"),
               "mesh {dp=2,tp=4}\n\nfc.weight  [tp, -]  opt=2 step=4\nfc.bias  [tp]\n"
               "grid  [dp, -, tp]\n*  [...]\n");
  }
  static std::string succeed(const std::vector<std::string>& arguments) {
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
  static std::string refuse(const std::vector<std::string>& arguments, int status = 1) {
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.err.rfind("error:", 0), 0U) << outcome.err;
    return outcome.err;
  }
  static void expect_in(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << "wanted: " << part << "\n" << text;
  }
};

TEST_F(LayoutWord, PrintsTheStrategyInOurNotation) {
  const std::string out = succeed({"layout", in_folder("layouts.txt")});
  expect_in(out, "# layouts.txt strategy: 4 parameters on 8 ranks\n");
  expect_in(out, "mesh {dp=2,tp=4}\n");
  expect_in(out, "fc.weight  [tp, -]  opt=2 step=4\n");
  expect_in(out, "*          [...]\n");
  write_file(in_folder("again.txt"), out);
  EXPECT_EQ(succeed({"layout", in_folder("again.txt")}), out) << "what it prints is a layouts.txt";
}

TEST_F(LayoutWord, DrawsWhoHoldsWhat) {
  EXPECT_EQ(
      succeed({"layout", in_folder("layouts.txt"), "fc.weight", "--shape", "fc.weight=[16,3]"}),
      "fc.weight  [16,3]  {dp=2,tp=4} [tp, -]  opt=2 step=4\n"
      "  dim 0  ┌───┐\n"
      "  0..1   │ 0 │\n"
      "  2..3   │ 4 │\n"
      "  4..5   │ 1 │\n"
      "  6..7   │ 5 │\n"
      "  8..9   │ 2 │\n"
      "  10..11 │ 6 │\n"
      "  12..13 │ 3 │\n"
      "  14..15 │ 7 │\n"
      "         └───┘\n");
  const std::string grid = succeed(
      {"layout", in_folder("layouts.txt"), "grid", "--shape", "grid=10,2,6", "--ranks", "0-5"});
  expect_in(grid,
            "          dim 2\n"
            "          0      1..2   3      4..5\n"
            "  dim 0 ┌──────┬──────┬──────┬──────┐\n"
            "  0..4  │ 0    │ 1    │ 2    │ 3    │\n"
            "        ├──────┼──────┼──────┼──────┤\n"
            "  5..9  │ 4    │ 5    │");
  const std::string bias = succeed({"layout", in_folder("layouts.txt"), "fc.bias"});
  expect_in(bias, "│ 3,7 │");
  expect_in(bias, "the shape is not known");
}

TEST_F(LayoutWord, NoLineOfAPictureIsWiderThanATerminal) {
  write_file(in_folder("wide.txt"), "mesh {a=64,b=512}\nw  [a, b]\n");
  const std::string out =
      succeed({"layout", in_folder("wide.txt"), "w", "--shape", "w=[64000,51200]"});
  size_t lines = 0;
  for (size_t at = 0, end; (end = out.find('\n', at)) != std::string::npos; at = end + 1) {
    size_t columns = 0;
    for (size_t i = at; i < end; ++i) columns += (out[i] & 0xC0) != 0x80;
    EXPECT_LE(columns, 80U) << out.substr(at, end - at);
    ++lines;
  }
  EXPECT_LE(lines, 60U);
  expect_in(out, "…");
  expect_in(out, "32767");
}

TEST_F(LayoutWord, JsonSaysTheBoxesOfEveryRank) {
  const std::string json =
      succeed({"layout", in_folder("layouts.txt"), "grid", "--shape", "grid=10,2,6", "--json"});
  expect_in(json, R"({"rank": 7, "begin": [5,0,4], "size": [5,2,2]})");
  EXPECT_EQ(number_in(succeed({"layout", in_folder("layouts.txt"), "--json"}), "ranks_per_stage"),
            8);
}

TEST_F(LayoutWord, ConvertsBetweenTheForms) {
  const std::string source = in_folder("layouts.txt");
  expect_in(refuse({"layout", source, "-o", in_folder("s.ckpt")}), "'*' is a pattern");
  write_file(in_folder("plain.txt"), "mesh {d0=2,d1=4}\nfc.weight [d1, -] opt=2 step=4\n");
  for (const char* form : {"s.ckpt", "s.json"}) {
    succeed({"layout", in_folder("plain.txt"), "-o", in_folder(form)});
    expect_in(succeed({"layout", in_folder(form)}), "fc.weight  [d1, -]  opt=2 step=4\n");
    expect_in(refuse({"layout", in_folder("plain.txt"), "-o", in_folder(form)}), "--force");
    succeed({"layout", in_folder("plain.txt"), "-o", in_folder(form), "--force"});
    const std::string inspected = succeed({"inspect", in_folder(form)});
    expect_in(inspected, "1 parameter on 8 ranks");
    expect_in(inspected, "tessera layout " + in_folder(form));
    expect_in(refuse({"verify", in_folder(form)}), "this is a strategy file");
  }
}

TEST_F(LayoutWord, AWholeCheckpointFillsInNamesAndShapes) {
  write_file(in_folder("lenet.txt"),
             "mesh {tp=2}\nconv*.weight [tp, -, -, -]\n*.bias [-]\n"
             "*  [...]\n");
  const std::string out = in_folder("lenet.json");
  succeed(
      {"layout", in_folder("lenet.txt"), "--checkpoint", digits("lenet5_digits.ckpt"), "-o", out});
  expect_in(succeed({"layout", out, "conv1.weight"}),
            "conv1.weight  [6,1,5,5]  {d0=2} [d0, -, -, -]");
  write_file(in_folder("uneven.txt"), "mesh {tp=4}\n*  [...]  opt=all step=1\n");
  expect_in(refuse({"layout", in_folder("uneven.txt"), "--checkpoint", digits("lenet5_digits.ckpt"),
                    "-o", in_folder("uneven.json")}),
            "write layouts.txt instead");
}

TEST_F(LayoutWord, StagesOfAPipelineMerge) {
  write_file(in_folder("0.txt"), "mesh {tp=2}\nstages 2\nstage 0\na [tp]\noperator A [2]\n");
  write_file(in_folder("1.txt"), "mesh {tp=2}\nstages 2\nstage 1\nb-c [tp]\noperator B [2]\n");
  for (const char* stage : {"0", "1"})
    succeed({"layout", in_folder(std::string(stage) + ".txt"), "-o",
             in_folder(std::string(stage) + ".ckpt")});
  const std::string merged = in_folder("merged.ckpt");
  succeed({"merge-strategies", in_folder("1.ckpt"), in_folder("0.ckpt"), "-o", merged});
  expect_in(succeed({"layout", merged}), "stage 0\na    [d0]");
  expect_in(succeed({"layout", merged}), "stage 1\nb-c  [d0]");
  expect_in(refuse({"merge-strategies", in_folder("0.ckpt"), "-o", merged}), "--force");
  expect_in(refuse({"merge-strategies", in_folder("1.ckpt"), "-o", in_folder("x.ckpt")}),
            "missing: 0");
  expect_in(refuse({"merge-strategies", folder().string(), "-o", in_folder("x.ckpt")}),
            "name the files to be merged");
}

TEST_F(LayoutWord, MistakesAreNamed) {
  expect_in(refuse({"layout", in_folder("layouts.txt"), "fc.weigth", "--shape", "x=[2]"}),
            "any number of dims");
  write_file(in_folder("bad.txt"), "mesh {tp=4}\nw [dp]\n");
  expect_in(refuse({"layout", in_folder("bad.txt")}),
            "line 2, column 3: the mesh {tp=4} has no axis");
  refuse({"layout", in_folder("layouts.txt"), "grid", "--ranks", "9"}, 2);
  refuse({"layout", in_folder("layouts.txt"), "grid", "--shape", "grid"}, 2);
  expect_in(refuse({"layout", digits("lenet5_digits.ckpt")}), "this is a checkpoint");
  refuse({"layout", in_folder("layouts.txt"), "grid", "-o", in_folder("x.txt")}, 2);
  refuse({"layout", in_folder("layouts.txt"), "--ranks", "0"}, 2);
}

}  // namespace
}  // namespace tessera::testing
