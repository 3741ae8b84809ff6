#include "tessera/data/digits.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

#include "tessera/data/row_source.h"
#include "tessera/io/crc.h"
#include "tests/support/error_of.h"

namespace tessera {
namespace {

struct Checksums {
  uint32_t images = 0;
  uint32_t labels = 0;
};

Checksums draw_all(const DigitSet& set) {
  Checksums sums;
  std::array<uint8_t, kDigitPixels> pixels{};
  for (int64_t i = 0; i < set.rows; ++i) {
    const auto label =
        static_cast<std::byte>(draw_digit(set.seed, static_cast<uint64_t>(i), pixels));
    sums.images = crc32(sums.images, std::as_bytes(std::span(pixels)));
    sums.labels = crc32(sums.labels, std::span(&label, 1));
  }
  return sums;
}

// CRC-32 of the very files that MindSpore was trained and evaluated on, computed by Python's zlib.
TEST(Digits, TheSetsAreTheOnesThatMindSporeWasTrainedOnOnEveryMachine) {
  const Checksums train = draw_all(kDigitTrainSet);
  EXPECT_EQ(train.images, 0xC0EAB1E9U);
  EXPECT_EQ(train.labels, 0x772F4789U);
  const Checksums test = draw_all(kDigitTestSet);
  EXPECT_EQ(test.images, 0xF3F1F831U);
  EXPECT_EQ(test.labels, 0xAFF8628BU);
}

TEST(Digits, EveryDigitIsDrawnAboutEquallyOften) {
  std::array<uint8_t, kDigitPixels> pixels{};
  std::map<int, int> counts;
  for (uint64_t i = 0; i < 2000; ++i) ++counts[draw_digit(99, i, pixels)];
  ASSERT_EQ(counts.size(), 10U);
  for (const auto& [digit, count] : counts) {
    EXPECT_GT(count, 140) << digit;
    EXPECT_LT(count, 260) << digit;
  }
}

TEST(Digits, TheSourceGivesTheDrawnRows) {
  const auto rows = open_rows("digits:test");
  EXPECT_EQ(rows->size(), 3000);
  EXPECT_EQ(rows->name(), "digits:test");
  std::array<uint8_t, kDigitPixels> pixels{};
  const int label = draw_digit(kDigitTestSet.seed, 17, pixels);
  const Row row = rows->row(17);
  EXPECT_EQ(row.label, label);
  EXPECT_EQ(describe(row.data), "u8[28,28,1]");
  EXPECT_TRUE(std::equal(pixels.begin(), pixels.end(), row.data.data<uint8_t>().begin()));
  EXPECT_THROW(rows->row(3000), Error);
  EXPECT_THROW(rows->row(-1), Error);
}

TEST(Digits, AnySeedGivesItsOwnSet) {
  EXPECT_EQ(open_rows("digits:7")->size(), 3000);
  EXPECT_EQ(open_rows("digits:7,12")->size(), 12);
  for (const char* wrong : {"digits:", "digits:x", "digits:-1", "digits:1,0", "digits:1,2,3"})
    EXPECT_THROW(open_rows(wrong), Error) << wrong;
}

std::string error_of(const std::string& notation) {
  return testing::error_of([&] { open_rows(notation); });
}

TEST(RowsInARange, AreTheRowsOfTheSourceFromThereOn) {
  const auto all = open_rows("digits:7,12");
  const auto expect_rows = [&](const std::string& range, int64_t first, int64_t size) {
    const auto rows = open_rows("digits:7,12" + range);
    ASSERT_EQ(rows->size(), size) << range;
    for (int64_t i = 0; i < size; ++i) {
      EXPECT_EQ(rows->row_name(i), all->row_name(first + i)) << range;
      EXPECT_EQ(rows->row(i).label, all->row(first + i).label) << range;
      EXPECT_TRUE(std::ranges::equal(rows->row(i).data.bytes(), all->row(first + i).data.bytes()))
          << range;
    }
  };
  expect_rows("[:8]", 0, 8);
  expect_rows("[8:]", 8, 4);
  expect_rows("[3:5]", 3, 2);
  expect_rows("[:]", 0, 12);
  expect_rows("[12:]", 12, 0);
}

TEST(RowsInARange, ThatTheSourceDoesNotHaveAreRefused) {
  EXPECT_NE(error_of("digits:7,12[:13]").find("digits:7,12 has 12"), std::string::npos);
  EXPECT_NE(error_of("digits:7,12[13:]").find("digits:7,12 has 12"), std::string::npos);
  EXPECT_NE(error_of("digits:7,12[5:3]").find("end before they begin"), std::string::npos);
  EXPECT_NE(error_of("digits:7,12[:99999999999999999999]").find("no number"), std::string::npos);
  // What is no range is the place's.
  EXPECT_NE(error_of("mnist:/no/such[a:b]").find("/no/such[a:b]"), std::string::npos);
}

}  // namespace
}  // namespace tessera
