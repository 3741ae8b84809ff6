// tessera explain on ranks that do not run: golden text, pictures that other programs can read.
#include <algorithm>

#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

constexpr const char* kModel = "mlp(hidden=[64,32])";

class ExplainRanks : public ProgramTest {
 protected:
  std::string rules() const {
    write_file(in_folder("rules.txt"),
               "mesh {dp=2,tp=2}\n"
               "dense_relu_sequential.0.weight [tp, -]\n"
               "dense_relu_sequential.0.bias [tp]\n"
               "dense_relu_sequential.2.weight [-, tp]\n"
               "dense_relu_sequential.4.* [...]\n");
    return in_folder("rules.txt");
  }
};

size_t count_of(std::string_view word, std::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
    ++count;
  return count;
}

/// Why `text` is no well-formed XML of elements, attributes and the five entities; "" when it is.
std::string xml_fault(const std::string& text) {
  const std::regex tag("<(/?)([a-z]+)((?: [a-zA-Z-]+=\"[^\"<&]*\")*)(/?)>");
  std::vector<std::string> open;
  size_t at = text.find("?>") + 2;
  while (at < text.size()) {
    if (text[at] == '&') {
      const std::string rest = text.substr(at, 6);
      if (!std::regex_search(rest, std::regex("^&(amp|lt|gt|quot);"))) return "entity " + rest;
    }
    if (text[at] != '<') {
      ++at;
      continue;
    }
    std::smatch match;
    if (!std::regex_search(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), match, tag,
                           std::regex_constants::match_continuous))
      return "tag " + text.substr(at, 60);
    if (match[1] == "/") {
      if (open.empty() || open.back() != match[2]) return "end of " + match[2].str();
      open.pop_back();
    } else if (match[4] != "/") {
      open.push_back(match[2]);
    }
    at += static_cast<size_t>(match.length());
  }
  return open.empty() ? "" : "no end of " + open.back();
}

// With TESSERA_UPDATE=1 in the environment the expected text is written anew. Reference kernels
// need the same memory on every processor.
TEST_F(ExplainRanks, TextIsTheGoldenOne) {
  const Outcome run = run_tessera({"explain", kModel, "--layouts", rules(), "--batch", "8",
                                   "--kernels", "reference", "--threads", "4"});
  ASSERT_EQ(run.status, 0) << run.err;
  const auto golden = source_dir() / "tests/golden/placed/mlp.txt";
  if (std::getenv("TESSERA_UPDATE") != nullptr) write_file(golden, run.out);
  EXPECT_EQ(run.out, read_file(golden));
}

TEST_F(ExplainRanks, PicturesAreWellFormedAndShowEveryCollective) {
  for (const std::string model : {kModel, "lenet5", "transformer"}) {
    std::vector<std::string> arguments{
        "explain",          model,   "--mesh",          "dp=2,tp=2", "--svg",
        in_folder("a.svg"), "--dot", in_folder("a.dot")};
    if (model == kModel) arguments.insert(arguments.end(), {"--layouts", rules()});
    const Outcome run = run_tessera(arguments);
    ASSERT_EQ(run.status, 0) << run.err;
    const std::string svg = read_file(in_folder("a.svg"));
    EXPECT_EQ(xml_fault(svg), "");
    const std::string dot = read_file(in_folder("a.dot"));
    EXPECT_EQ(count_of("shape=hexagon", dot), count_of("rx=\"14\"", svg));
    EXPECT_EQ(count_of("shape=hexagon", dot), count_of(" <- ", run.out));
    EXPECT_EQ(std::count(dot.begin(), dot.end(), '{') - count_of("{dp=2", dot), 1U);
    EXPECT_EQ(count_of(" -> n", dot), count_of("<path ", svg));
  }
}

TEST_F(ExplainRanks, JsonHasTheMemoryOfEveryRank) {
  const Outcome run = run_tessera(
      {"explain", kModel, "--mesh", "{dp=3}", "--batch", "7", "--json", "--kernels", "reference"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(count_of("\"peak\": ", run.out), 3U);
  const double parameters = 4 * (64 * 784 + 64 + 32 * 64 + 32 + 10 * 32 + 10);
  EXPECT_EQ(number_in(run.out, "parameters"), parameters);
  EXPECT_EQ(number_in(run.out, "inputs"), 2 * 784 * 4);
}

TEST_F(ExplainRanks, WeightsAreRefused) {
  const Outcome run = run_tessera({"explain", kModel, "--mesh", "dp=2", "--weights", "x.ckpt"});
  EXPECT_EQ(run.status, 2);
  EXPECT_NE(run.err.find("--weights goes without --mesh"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace tessera::testing
