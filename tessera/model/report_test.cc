#include "tessera/model/report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

namespace tessera {
namespace {

/// Rows of pictures 2×2, named with what HTML must not take for its own.
class Pictures final : public RowSource {
 public:
  const std::string& name() const override { return name_; }
  int64_t size() const override { return 100000; }
  Row row(int64_t index) const override {
    const std::vector<uint8_t> pixels(12, static_cast<uint8_t>(index));
    return {Tensor::of(std::span(pixels), {2, 2, 3}), 0};
  }
  std::string row_name(int64_t index) const override {
    return fmt::format("<row & \"{}\">", index);
  }

 private:
  std::string name_ = "pictures";
};

struct Case {
  std::vector<int32_t> labels;
  std::vector<float> outputs;
};

EvalRecord record_of(const Case& c, size_t mistakes = 24) {
  EvalRecord record(mistakes);
  const auto rows = std::ssize(c.labels);
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < rows; ++i) numbers.push_back(100 + i);
  const Tensor outputs = Tensor::of(std::span(c.outputs), {rows, std::ssize(c.outputs) / rows});
  const Tensor labels = Tensor::of(std::span(c.labels), {rows});
  record.add({outputs, labels, numbers});
  return record;
}

/// Row i of `classes`: label i, taken for i where i is even, else for the class before.
EvalRecord record_of_classes(int64_t classes) {
  Case c;
  for (int64_t i = 0; i < classes; ++i) {
    c.labels.push_back(static_cast<int32_t>(i));
    std::vector<float> row(static_cast<size_t>(classes));
    row[static_cast<size_t>(i % 2 == 0 ? i : i - 1)] = static_cast<float>(1 + i % 10);
    c.outputs.insert(c.outputs.end(), row.begin(), row.end());
  }
  return record_of(c);
}

std::string page_of(const EvalRecord& record, const std::vector<std::string>& names = {}) {
  EvalReport eval{.rows = record.row_count(), .metrics = {{"accuracy", {}, {0.5}, 1, 2}}};
  eval.seconds = 2;
  eval.bad = {{7, "the JPEG is <cut>"}};
  const Report report{.model = "net<script>",
                      .weights = "w.ckpt",
                      .data = "folder:a&b",
                      .transforms = "resize(2)",
                      .class_names = names};
  return report_page(report, eval, record, Pictures());
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(EvalRecord, CountsPairsAndKeepsTheSurestMistakesInOrder) {
  const EvalRecord record = record_of({{0, 1, 1, 2, 2},
                                       {5, 0, 0,  //
                                        3, 1, 0,  // a mistake, fairly sure
                                        0, 4, 0,  //
                                        9, 0, 1,  // the surest mistake
                                        0, 1, 0}});
  EXPECT_EQ(record.class_count(), 3);
  EXPECT_EQ(record.row_count(), 5);
  const EvalRecord::Pairs wanted{{{0, 0}, 1}, {{1, 0}, 1}, {{1, 1}, 1}, {{2, 0}, 1}, {{2, 1}, 1}};
  EXPECT_EQ(record.pairs(), wanted);
  ASSERT_EQ(record.mistakes().size(), 3U);
  EXPECT_EQ(record.mistakes()[0].row, 103);
  EXPECT_EQ(record.mistakes()[0].predicted, 0);
  EXPECT_NEAR(record.mistakes()[0].probability, 1 / (1 + std::exp(-9) + std::exp(-8)), 1e-12);
  EXPECT_NEAR(record.mistakes()[0].label_probability,
              std::exp(-8) / (1 + std::exp(-9) + std::exp(-8)), 1e-12);
  EXPECT_EQ(record.mistakes()[1].row, 101);
  EXPECT_EQ(record.mistakes()[2].row, 104);
  const auto counts = record.counts();
  EXPECT_EQ(counts[0].rows, 1);
  EXPECT_EQ(counts[0].predicted, 3);
  EXPECT_EQ(counts[0].correct, 1);
  EXPECT_EQ(counts[2].predicted, 0);
}

TEST(EvalRecord, KeepsNoMoreMistakesThanAskedAndOfEqualOnesTheFirst) {
  Case c;
  for (int i = 0; i < 50; ++i) {
    c.labels.push_back(1);
    c.outputs.insert(c.outputs.end(), {static_cast<float>(1 + i % 2), 0.0F});
  }
  const EvalRecord record = record_of(c, 4);
  ASSERT_EQ(record.mistakes().size(), 4U);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(record.mistakes()[i].row, 101 + 2 * static_cast<int64_t>(i));
}

TEST(EvalRecord, OutputsThatAreNoNumbersAreMistakesOfNoProbability) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const EvalRecord record = record_of({{1, 1}, {kNan, kNan, 3, 0}});
  ASSERT_EQ(record.mistakes().size(), 2U);
  EXPECT_EQ(record.mistakes()[0].row, 101);
  EXPECT_EQ(record.mistakes()[1].probability, 0);
}

TEST(EvalRecord, LabelsOutsideTheClassesAreRefused) {
  EXPECT_THROW(record_of({{2}, {0, 1}}), Error);
  EXPECT_THROW(record_of({{-1}, {0, 1}}), Error);
}

TEST(Report, NamesFromOutsideStayText) {
  const std::string page = page_of(record_of_classes(4), {"<b>", "a&b", "\"q\"", "d\x01"});
  EXPECT_EQ(page.find("net<script>"), std::string::npos);
  EXPECT_NE(page.find("<h1>net&lt;script&gt; on folder:a&amp;b</h1>"), std::string::npos);
  EXPECT_NE(page.find("&lt;b&gt;"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find('\x01'), std::string::npos);
  EXPECT_NE(page.find("the JPEG is &lt;cut&gt;"), std::string::npos);
  EXPECT_EQ(page.find("alt=\"<"), std::string::npos);
}

TEST(Report, NothingOnThePageComesFromElsewhere) {
  for (const int64_t classes : {3, 100, 1000}) {
    const std::string page = page_of(record_of_classes(classes));
    EXPECT_FALSE(std::regex_search(page, std::regex("(https?:|<script|<link|@import|url\\()")));
    EXPECT_EQ(count(page, "src="), count(page, "src=\"data:image/png;base64,"));
  }
}

TEST(Report, FewClassesAreATableOfCounts) {
  const std::string page = page_of(record_of_classes(10), {"a", "b"});
  EXPECT_NE(page.find("<table class=\"heat\">"), std::string::npos);
  EXPECT_EQ(page.find("<svg"), std::string::npos);
  EXPECT_EQ(count(page, "<td class=\"hit\""), 5U);
  EXPECT_EQ(count(page, "<td class=\"miss\""), 5U);
  EXPECT_EQ(count(page, "<figure>"), 5U);
}

TEST(Report, ManyClassesAreADrawingInWhichCellsMayStandForSeveral) {
  const std::string hundred = page_of(record_of_classes(100));
  EXPECT_EQ(count(hundred, "<rect class=\"hit\""), 50U);
  EXPECT_EQ(count(hundred, "<rect class=\"miss\""), 50U);
  EXPECT_NE(hundred.find("<title>7 taken for 6: 1</title>"), std::string::npos);
  const std::string thousand = page_of(record_of_classes(1000));
  EXPECT_EQ(count(thousand, "<rect class=\"hit\""), 125U);
  EXPECT_NE(thousand.find("<title>0–7 taken for 0–7: 8</title>"), std::string::npos);
  EXPECT_NE(thousand.find("<summary>1000 classes</summary>"), std::string::npos);
  EXPECT_EQ(count(thousand, "<figure>"), 24U);
}

TEST(Report, PrecisionAndRecallOfAClassThatWasNeverPredictedAreADashAndZero) {
  const std::string page = page_of(record_of_classes(2), {"cat", "dog"});
  EXPECT_NE(page.find("<th scope=\"row\" class=\"name\">dog</th><td>1</td><td>0</td><td>0</td>"
                      "<td>–</td><td class=\"bar\" style=\"--v:0.000\">0.0000</td>"),
            std::string::npos);
  EXPECT_NE(page.find("<td class=\"bar\" style=\"--v:0.500\">0.5000</td>"), std::string::npos);
}

}  // namespace
}  // namespace tessera
