#include "tessera/data/pipeline.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

namespace tessera {
namespace {

/// Rows [2] of u8: the row's number and 7; label is the number times 3.
class Counting : public RowSource {
 public:
  explicit Counting(int64_t rows, int64_t bad = -1) : rows_(rows), bad_(bad) {}
  const std::string& name() const override { return name_; }
  int64_t size() const override { return rows_; }
  Row row(int64_t index) const override {
    ++reads;
    require(index != bad_, "this row is bad");
    const std::vector<uint8_t> values{static_cast<uint8_t>(index), 7};
    return {Tensor::of(std::span(values), {2}), static_cast<int32_t>(3 * index)};
  }
  mutable std::atomic<int64_t> reads = 0;

 private:
  std::string name_ = "counting";
  int64_t rows_;
  int64_t bad_;
};

std::vector<int32_t> labels_of(Pipeline rows) {
  std::vector<int32_t> labels;
  int64_t first = 0;
  while (const auto batch = rows.next()) {
    EXPECT_EQ(batch->first_row, first);
    EXPECT_EQ(batch->data.shape()[0], batch->rows);
    first += batch->rows;
    for (int64_t i = 0; i < batch->rows; ++i) {
      const int32_t label = batch->labels.data<int32_t>()[static_cast<size_t>(i)];
      EXPECT_EQ(batch->data.data<uint8_t>()[static_cast<size_t>(2 * i)],
                static_cast<uint8_t>(label / 3));
      labels.push_back(label / 3);
    }
  }
  EXPECT_EQ(first, rows.row_count());
  EXPECT_FALSE(rows.next().has_value());
  return labels;
}

std::vector<int32_t> counting_up_to(int32_t end) {
  std::vector<int32_t> numbers(static_cast<size_t>(end));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

TEST(Pipeline, EveryRowComesOnceInOrderWhateverTheBatchesThreadsAndPrefetch) {
  for (const int64_t batch : {1, 3, 64, 100, 199, 200, 1000})
    for (const int prefetch : {0, 1, 2, 7})
      for (const int threads : {1, 2, 5}) {
        const Pipeline rows(std::make_shared<Counting>(200));
        EXPECT_EQ(labels_of(rows.batch(batch).prefetch(prefetch).threads(threads)),
                  counting_up_to(200))
            << batch << " " << prefetch << " " << threads;
      }
}

TEST(Pipeline, TheRemainderIsSmallerOrDropped) {
  Pipeline rows = Pipeline(std::make_shared<Counting>(10)).batch(4);
  EXPECT_EQ(rows.batch_count(), 3);
  EXPECT_EQ(labels_of(rows).size(), 10U);
  rows = rows.batch(4, true);
  EXPECT_EQ(rows.batch_count(), 2);
  EXPECT_EQ(labels_of(rows), counting_up_to(8));
  EXPECT_EQ(rows.batch(11, true).row_count(), 0);
  EXPECT_FALSE(rows.batch(11, true).next().has_value());
}

TEST(Pipeline, LimitTakesTheFirstRowsAfterShuffling) {
  const Pipeline rows = Pipeline(std::make_shared<Counting>(50)).batch(8);
  EXPECT_EQ(labels_of(rows.limit(13)), counting_up_to(13));
  EXPECT_EQ(labels_of(rows.limit(100)).size(), 50U);
  EXPECT_TRUE(labels_of(rows.limit(0)).empty());
  const std::vector<int64_t> order = shuffled_rows(50, 5);
  const std::vector<int32_t> some = labels_of(rows.shuffle(5).limit(13));
  EXPECT_TRUE(std::equal(some.begin(), some.end(), order.begin()));
}

// The orders were computed by a Python script from the description in pipeline.h.
TEST(Pipeline, ShufflingFollowsTheDocumentedRule) {
  EXPECT_EQ(shuffled_rows(8, 1), (std::vector<int64_t>{0, 3, 7, 1, 2, 6, 5, 4}));
  EXPECT_EQ(shuffled_rows(5, 0xFFFFFFFFFFFFFFFFU), (std::vector<int64_t>{1, 2, 0, 3, 4}));
  EXPECT_TRUE(shuffled_rows(0, 1).empty());
  std::vector<int64_t> order = shuffled_rows(1000, 3);
  EXPECT_NE(order, shuffled_rows(1000, 4));
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], static_cast<int64_t>(i));
}

TEST(Pipeline, CopiesBeginAtTheFirstBatchAndRewindGoesBackToIt) {
  Pipeline rows = Pipeline(std::make_shared<Counting>(10)).batch(4);
  rows.next();
  Pipeline copy = rows;
  EXPECT_EQ(copy.next()->first_row, 0);
  EXPECT_EQ(rows.next()->first_row, 4);
  rows.rewind();
  EXPECT_EQ(rows.next()->first_row, 0);
}

TEST(Pipeline, PartsOfBatchesTogetherAreTheBatchesAndReadOnlyTheirRows) {
  for (const int64_t count : {1, 2, 3, 7}) {
    for (const int prefetch : {0, 3}) {
      std::vector<std::vector<int32_t>> batches(4);  // 10 rows by 3: the last has 1
      for (int64_t index = 0; index < count; ++index) {
        const auto source = std::make_shared<Counting>(10);
        Pipeline rows = Pipeline(source).batch(3).prefetch(prefetch).part(index, count);
        const int64_t before = source->reads;
        int64_t read = 0;
        for (std::vector<int32_t>& whole : batches) {
          const auto batch = rows.next();
          ASSERT_TRUE(batch.has_value());
          EXPECT_EQ(batch->data.shape()[0], batch->rows);
          for (const int32_t label : batch->labels.data<int32_t>()) whole.push_back(label / 3);
          read += batch->rows;
        }
        EXPECT_FALSE(rows.next().has_value());
        EXPECT_EQ(source->reads - before, read);
      }
      EXPECT_EQ(batches[0], (std::vector<int32_t>{0, 1, 2})) << count;
      EXPECT_EQ(batches[2], (std::vector<int32_t>{6, 7, 8})) << count;
      EXPECT_EQ(batches[3], (std::vector<int32_t>{9})) << count;
    }
  }
}

TEST(Pipeline, PartsOfPiecesOfBatchesHaveTheirRowsPieceAfterPiece) {
  const auto labels_of = [](const Batch& batch) {
    std::vector<int32_t> labels;
    for (const int32_t label : batch.labels.data<int32_t>()) labels.push_back(label / 3);
    return labels;
  };
  for (const int prefetch : {0, 3}) {
    // 20 rows by 12: the last batch has 8; two pieces of 6 and of 4, of each the second half.
    Pipeline rows = Pipeline(std::make_shared<Counting>(20)).batch(12).prefetch(prefetch);
    Pipeline part = rows.part(1, 2, 2);
    const auto first = part.next(), last = part.next();
    EXPECT_EQ(labels_of(*first), (std::vector<int32_t>{3, 4, 5, 9, 10, 11}));
    EXPECT_EQ(labels_of(*last), (std::vector<int32_t>{14, 15, 18, 19}));
    EXPECT_EQ(first->all_rows, 12);
    EXPECT_FALSE(part.next().has_value());
    EXPECT_EQ(rows.part(0, 13, 4).next()->rows, 0) << "more parts than rows";
    EXPECT_THROW((void)rows.part(0, 2, 8), Error) << "8 pieces of 12 rows";
    EXPECT_THROW((void)rows.part(0, 2, 3), Error) << "3 pieces of the last 8";
  }
}

TEST(Pipeline, AnErrorInARowArrivesAtNextAndStays) {
  for (const int prefetch : {0, 2}) {
    Pipeline rows =
        Pipeline(std::make_shared<Counting>(500, 300)).batch(100).prefetch(prefetch).threads(3);
    int good = 0;
    std::string message;
    for (int i = 0; i < 10; ++i) {
      try {
        rows.next();
        ++good;
      } catch (const Error& error) {
        message = error.what();
      }
    }
    EXPECT_EQ(good, 3) << prefetch;
    EXPECT_NE(message.find("this row is bad"), std::string::npos);
    EXPECT_NE(message.find("reading row 300 of counting"), std::string::npos) << message;
  }
}

/// Counting rows of which those in `bad` cannot be read.
class Holed final : public Counting {
 public:
  Holed(int64_t rows, std::vector<int64_t> bad) : Counting(rows), bad_(std::move(bad)) {}
  Row row(int64_t index) const override {
    const bool is_bad = std::find(bad_.begin(), bad_.end(), index) != bad_.end();
    require_valid(!is_bad, "row {} is cut", index);
    return Counting::row(index);
  }

 private:
  std::vector<int64_t> bad_;
};

TEST(Pipeline, BadRowsKeepTheirPlacesAsZerosWhenTheyAreLeftOut) {
  const std::vector<int64_t> bad{0, 1, 5, 63, 64, 199};
  for (const int64_t batch : {1, 7, 64, 200})
    for (const int prefetch : {0, 3}) {
      Pipeline rows = Pipeline(std::make_shared<Holed>(200, bad), BadRows::kLeaveOut)
                          .batch(batch)
                          .prefetch(prefetch)
                          .threads(3);
      std::vector<int64_t> left_out;
      int64_t row = 0;
      while (const auto part = rows.next()) {
        for (const BadRow& hole : part->bad) {
          left_out.push_back(hole.index);
          EXPECT_EQ(hole.reason, fmt::format("row {} is cut", hole.index));
        }
        for (int64_t i = 0; i < part->rows; ++i, ++row) {
          const bool is_bad = std::find(bad.begin(), bad.end(), row) != bad.end();
          EXPECT_EQ(part->labels.data<int32_t>()[static_cast<size_t>(i)],
                    is_bad ? kLeftOut : 3 * static_cast<int32_t>(row));
          EXPECT_EQ(part->data.data<uint8_t>()[static_cast<size_t>(2 * i + 1)], is_bad ? 0 : 7);
        }
      }
      std::sort(left_out.begin(), left_out.end());
      EXPECT_EQ(left_out, bad);
      EXPECT_EQ(row, 200);
    }
}

TEST(Pipeline, WithoutLeavingOutTheFirstBadRowStopsWithItsName) {
  EXPECT_THROW(Pipeline(std::make_shared<Holed>(10, std::vector<int64_t>{0})), Error);
  Pipeline rows = Pipeline(std::make_shared<Holed>(10, std::vector<int64_t>{4, 7})).batch(2);
  EXPECT_TRUE(rows.next() && rows.next());
  try {
    rows.next();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("row 4 is cut\n"), 0U);
    EXPECT_NE(std::string(error.what()).find("reading row 4 of counting"), std::string::npos);
  }
}

TEST(Pipeline, WhereEveryRowIsBadThereIsNothingToRead) {
  try {
    Pipeline(std::make_shared<Holed>(2, std::vector<int64_t>{0, 1}), BadRows::kLeaveOut);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "none of the 2 rows of counting can be read; the first: row 0 is cut");
  }
}

TEST(Pipeline, TheNumberInTheSourceOfARowThatWasReadIsKnown) {
  const Pipeline rows = Pipeline(std::make_shared<Counting>(50)).shuffle(3);
  const auto order = shuffled_rows(50, 3);
  for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(rows.source_index(i), order[static_cast<size_t>(i)]);
}

TEST(Pipeline, PrefetchReadsNoFurtherThanAsked) {
  const auto source = std::make_shared<Counting>(1000);
  Pipeline rows = Pipeline(source).batch(10).prefetch(3).threads(4);
  rows.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  // One row is read to learn its type, then the batch that was given and three more.
  EXPECT_LE(source->reads.load(), 1 + 10 + 30);
}

TEST(Pipeline, BatchesThatAreMadeTogetherComeWithTheirRows) {
  // Unless prefetch() says otherwise several small batches are made at once.
  for (const int64_t rows : {1, 63, 64, 65, 300})
    for (const int64_t batch : {1, 5, 31, 32, 33, 64, 100})
      for (const int threads : {1, 2, 3, 5}) {
        const Pipeline all =
            Pipeline(std::make_shared<Counting>(rows)).batch(batch).threads(threads);
        EXPECT_EQ(labels_of(all), counting_up_to(static_cast<int32_t>(rows)));
        int64_t seen = 0;
        for (int64_t part = 0; part < 3; ++part) {
          Pipeline some = all.part(part, 3);
          while (const auto one = some.next())
            for (int64_t i = 0; i < one->rows; ++i, ++seen)
              EXPECT_EQ(one->labels.data<int32_t>()[static_cast<size_t>(i)],
                        3 * static_cast<int32_t>(one->first_row + i));
        }
        EXPECT_EQ(seen, rows);
      }
}

TEST(Pipeline, BatchesBeforeABadRowComeAlsoWhereTheyAreMadeWithIt) {
  for (const int64_t bad : {1, 40, 63, 64, 70, 199})
    for (const int threads : {1, 4})
      for (const int64_t batch : {1, 3, 64}) {
        Pipeline rows =
            Pipeline(std::make_shared<Counting>(200, bad)).batch(batch).threads(threads);
        for (int64_t i = 0; i < bad / batch; ++i) {
          const auto one = rows.next();
          ASSERT_TRUE(one.has_value());
          EXPECT_EQ(one->labels.data<int32_t>()[0], 3 * static_cast<int32_t>(i * batch));
        }
        for (int again = 0; again < 3; ++again) EXPECT_THROW(rows.next(), Error);
      }
}

TEST(Pipeline, ABatchThatIsKeptKeepsItsRowsWhileOthersAreRead) {
  Pipeline rows = Pipeline(std::make_shared<Counting>(250)).batch(2).threads(2);
  std::vector<Batch> kept;
  for (int reading = 0; reading < 3; ++reading, rows.rewind())
    while (auto batch = rows.next())
      if (batch->first_row % 14 == 0) kept.push_back(std::move(*batch));
  EXPECT_EQ(kept.size(), 54U);
  for (const Batch& batch : kept)
    EXPECT_EQ(batch.data.data<uint8_t>()[0], static_cast<uint8_t>(batch.first_row));
}

TEST(Pipeline, DestructionInTheMiddleStopsTheThreads) {
  for (int i = 0; i < 50; ++i) {
    Pipeline rows = Pipeline(std::make_shared<Counting>(100000)).batch(64).threads(4).prefetch(8);
    for (int batch = 0; batch < i % 5; ++batch) rows.next();
  }
}

TEST(Pipeline, RowsThatBecomeOneShapeMayDiffer) {
  class Growing final : public Counting {
   public:
    using Counting::Counting;
    Row row(int64_t index) const override {
      Tensor data(DType::kU8, {index + 1, 4, 1});
      for (uint8_t& value : data.mutable_data<uint8_t>()) value = 9;
      return {data, 0};
    }
  };
  Pipeline rows = Pipeline(std::make_shared<Growing>(5)).map("resize(3,3)").batch(5);
  const Batch batch = *rows.next();
  EXPECT_EQ(describe(batch.data), "u8[5,3,3,1]");
  for (const uint8_t value : batch.data.data<uint8_t>()) EXPECT_EQ(value, 9);
  EXPECT_THROW(Pipeline(std::make_shared<Growing>(5)).batch(5).next(), Error);
}

TEST(Pipeline, AnEmptySourceGivesNoBatches) {
  Pipeline rows = Pipeline(std::make_shared<Counting>(0)).map("rescale(2)").batch(3);
  EXPECT_EQ(rows.batch_count(), 0);
  EXPECT_FALSE(rows.next().has_value());
  EXPECT_THROW(rows.row_type(), Error);
}

TEST(Pipeline, ATransformThatDoesNotFitIsRefusedWhenItIsAdded) {
  const Pipeline rows(std::make_shared<Counting>(5));
  EXPECT_THROW(rows.map("to_chw"), Error);
  EXPECT_EQ(to_string(rows.map("rescale(1/2) flatten").row_type()), "f32[2]");
  EXPECT_EQ(to_string(rows.map("rescale(1/2)").map("flatten").transforms()),
            "rescale(1/2) flatten");
  EXPECT_THROW(rows.batch(0), Error);
  EXPECT_THROW(rows.limit(-1), Error);
  EXPECT_THROW(rows.prefetch(-1), Error);
  EXPECT_THROW(rows.threads(0), Error);
}

}  // namespace
}  // namespace tessera
