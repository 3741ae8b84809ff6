#include <gtest/gtest.h>

#include "tessera/base/error.h"
#include "tessera/checkpoint/strategies/internal/layouts_reader.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

Strategy read(const std::string& text) {
  MemoryFileSystem files;
  files.put("layouts.txt", text);
  return read_strategy("layouts.txt", files);
}

std::string error_of(const std::string& text) {
  try {
    return "reads as\n" + to_string(read(text));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
    const std::string what = error.what();
    return what.substr(0, what.find('\n'));
  }
}

constexpr const char* kExample = R"(# A transformer on 8 ranks.
mesh {dp=2,tp=4}

embed.weight         [tp, -]  rows=40,24,20,12 offsets=0,40,64,84   # cut by hand
layers.*.w1.weight   [tp, -]  opt=2 step=4
layers.*.w2.weight	[-, tp]
"odd name"           {d=8} [-, d]  shape=3,16
grid                 [tp dp, -]
*                    [...]
)";

TEST(LayoutsTxt, TheFirstLineThatMatchesCounts) {
  const Strategy strategy = read(kExample);
  EXPECT_EQ(strategy.format, "layouts.txt");
  EXPECT_EQ(strategy.rank_count(), 8);
  EXPECT_NO_THROW(validate(strategy));
  const auto layout_of = [&](const std::string& name) {
    const ParameterLayout* found = strategy.find(name, 0);
    return found->any_ndim ? "[...]" : to_string(found->layout);
  };
  EXPECT_EQ(layout_of("embed.weight"), "{dp=2,tp=4} [tp, -]");
  EXPECT_EQ(layout_of("layers.11.w2.weight"), "{dp=2,tp=4} [-, tp]");
  EXPECT_EQ(layout_of("odd name"), "{d=8} [-, d]");
  EXPECT_EQ(layout_of("grid"), "{dp=2,tp=4} [tp dp, -]");
  EXPECT_EQ(layout_of("layers.0.norm"), "[...]");
  EXPECT_EQ(strategy.find("embed.weight", 0)->split_rows, (std::vector<int64_t>{40, 24, 20, 12}));
  EXPECT_EQ(strategy.find("layers.0.w1.weight", 0)->optimizer_size, 2);
  EXPECT_EQ(strategy.find("odd name", 0)->shape, (Shape{3, 16}));
}

TEST(LayoutsTxt, WhatIsPrintedReadsBackAndPrintsTheSame) {
  const Strategy strategy = read(kExample);
  const std::string text = to_string(strategy);
  EXPECT_EQ(read(text), strategy) << text;
  EXPECT_EQ(to_string(read(text)), text);
}

TEST(LayoutsTxt, StagesHaveHeadings) {
  const Strategy strategy = read(
      "mesh {tp=2}\nstages 2\nstage 0\nembed [tp, -]\nh.0.* [...]\nstage 1\nh.1.* [...]\nembed [-, "
      "tp]\n");
  EXPECT_EQ(strategy.rank_count(), 4);
  EXPECT_EQ(strategy.find("h.1.w", 0), nullptr);
  EXPECT_NE(strategy.find("h.1.w", 1), nullptr);
  EXPECT_EQ(dims_to_string(strategy.find("embed", 1)->layout), "[-, tp]");
  EXPECT_EQ(read(to_string(strategy)), strategy);
}

TEST(LayoutsTxt, EveryMistakeIsNamedWithItsLineAndColumn) {
  const struct {
    std::string text;
    std::string says;
  } cases[] = {
      {"w [tp]", "line 1, column 3: no mesh is known here"},
      {"mesh {tp=4}\nw [tq]", "line 2, column 3: the mesh {tp=4} has no axis 'tq' (nearest: 'tp')"},
      {"mesh {tp=4\nw [tp]", "line 1, column 6: '}' is missing"},
      {"mesh 4\n", "line 1, column 6: a mesh is wanted"},
      {"mesh {tp=0}\nw [tp]", "line 1, column 6: a size of at least 1 is wanted"},
      {"mesh {tp=4}\nw tp", "line 2, column 3: '[' is wanted"},
      {"mesh {tp=4}\nw [tp", "line 2, column 3:"},
      {"mesh {tp=4}\nw [tp, tp]", "line 2, column 3: the axis 'tp' is used twice"},
      {"mesh {tp=4}\nw [tp] op=2", "line 2, column 8: 'op' is no option (nearest: 'opt')"},
      {"mesh {tp=4}\nw [-] opt=2 opt=4", "line 2, column 13: 'opt=' is there twice"},
      {"mesh {tp=4}\nw [-] opt=0", "line 2, column 11: a number from 1 to 16777216 or 'all'"},
      {"mesh {tp=4}\nw [-] step=2", "'step=' goes with 'opt='"},
      {"mesh {tp=4}\nw [tp] rows=1,x", "line 2, column 15: numbers from 0"},
      {"mesh {tp=4}\nw [tp] rows=1,-1", "line 2, column 15: numbers from 0"},
      {"mesh {tp=4}\nw [tp] shape=4,4", "line 2, column 3: the shape [4,4] has 2 dims"},
      {"mesh {tp=4}\nw [tp]\nw [-]", "line 3, column 1: 'w' is in line 2 already"},
      {"mesh {tp=4}\n* [...]\nw [-]", "line 3, column 1: 'w' never counts: '*' in line 2"},
      {"mesh {tp=4}\na.* [-]\na.*.b [-]", "line 3, column 1: 'a.*.b' never counts"},
      {"mesh {tp=4}\nmesh {dp=2}\nw [dp]", "line 1: no parameter lies on this mesh"},
      {"mesh {tp=4}\nw [tp]\nv {d=2} [d]", "'w' lies on the 4 ranks of {tp=4} but 'v' on the 2"},
      {"mesh {tp=4}\nstages 2\nw [tp]", "line 3, column 1: a line 'stage 0' to 'stage 1'"},
      {"mesh {tp=4}\nstage 1\nw [tp]", "line 2, column 7: there are 1 stages"},
      {"mesh {tp=4}\nw [tp]\nstages 2", "line 3, column 1: 'stages' stands before"},
      {"mesh {tp=4}\n\"w [tp]", "line 2, column 1: the name has no closing '\"'"},
      {"mesh {tp=4}\n\"\" [tp]", "line 2, column 1: a parameter has a name"},
      {"mesh {tp=4} x\nw [tp]", "line 1, column 13: the end of the line is wanted"},
      {"mesh {tp=4}\nw [tp]\noperator Op [1,x]", "line 3, column 16: numbers from 0"},
      {"# nothing\n", "the text says the layout of no parameter"},
      {"mesh {tp=4}\n{w* [tp]", "line 2, column 1: a name is wanted; one that begins with"},
      {"w \xFF [tp]", "line 1 is not UTF-8"},
      {"mesh {tp=4}\nw\x7F* [tp]", "line 2, column 2: a control byte 0x7f"},
  };
  for (const auto& one : cases) {
    const std::string error = error_of(one.text);
    EXPECT_NE(error.find(one.says), std::string::npos) << error << "\nwanted: " << one.says;
  }
}

TEST(LayoutsTxt, ItIsToldApartByItsFirstLine) {
  for (const char* text : {"mesh {tp=4}\nw [tp]", "\n# note\nstages 2\n", "* [...]\n",
                           "a.b {d0=2} [d0, -]", "\xEF\xBB\xBFmesh {tp=2}\n"})
    EXPECT_TRUE(looks_like_strategy(text)) << text;
  for (const char* text :
       {"", "# only a comment", "hello world", "see [this](that)", "{\"a\": 1}", "mesh of things"})
    EXPECT_FALSE(looks_like_strategy(text)) << text;
}

TEST(LayoutsTxt, APatternCoversWhatItMatchesWhateverTheOtherStandsFor) {
  using internal::covers;
  for (const auto& [wide, narrow] :
       std::vector<std::pair<std::string, std::string>>{{"*", "a*"},
                                                        {"*", "*"},
                                                        {"a?", "ab"},
                                                        {"a*", "a?*b"},
                                                        {"*?", "?*"},
                                                        {"a*c", "a*b*c"},
                                                        {"**", "?"},
                                                        {"*.w", "x.*.w"}})
    EXPECT_TRUE(covers(wide, narrow)) << wide << " " << narrow;
  for (const auto& [wide, narrow] :
       std::vector<std::pair<std::string, std::string>>{{"a*", "*"},
                                                        {"?", "*"},
                                                        {"?*", "*"},
                                                        {"a?", "a*"},
                                                        {"a*c", "a*"},
                                                        {"ab", "a?"},
                                                        {"*.w", "x.*"}})
    EXPECT_FALSE(covers(wide, narrow)) << wide << " " << narrow;
}

}  // namespace
}  // namespace tessera
