// From rows to the batches that a program reads:
//
//   Pipeline data(open_rows("mnist:DIR/test"));
//   data = data.map("resize(32,32) rescale(1/255) normalize(0.1307,0.3081) to_chw").batch(32);
//   while (auto batch = data.next()) { … }
//
// Rows are read and transformed by a pool of threads, each straight into its place in its batch, at
// most prefetch() batches ahead of the reader.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/data/row_source.h"
#include "tessera/data/transform.h"

namespace tessera {

namespace internal {
struct ReadPlan;
class Reading;
}  // namespace internal

/// A row of the source that could not be read, and why.
struct BadRow {
  int64_t index = 0;  // in the source
  std::string reason;
};

/// Why the source cannot read this row; empty when it can.
std::string reading_error(const RowSource& source, int64_t index);

/// What happens at a row that the source cannot read: a cut file, a format nobody reads.
enum class BadRows : uint8_t {
  kThrow,    // next() throws
  kLeaveOut  // its place in the batch holds zeros and the label kLeftOut
};

struct Batch {
  Tensor data;            // [rows, row...]
  Tensor labels;          // i32 [rows]
  int64_t first_row = 0;  // its place in the order of reading
  int64_t rows = 0;
  int64_t all_rows = 0;          // of the batch; more than `rows` where part() asks for a part
  std::vector<BadRow> bad = {};  // the rows left out, in no order
};

/// The order in which `rows` rows are read with a seed: Fisher–Yates from the last place down,
/// place i swapped with place (r · (i + 1)) >> 64 of SplitMix64's successive numbers r from state
/// `seed`. The same on every machine.
std::vector<int64_t> shuffled_rows(int64_t rows, uint64_t seed);

/// A description of how to read, and the place up to which this object has read. Copies share the
/// source and begin at the first batch. One thread at a time may use an object.
class Pipeline {
 public:
  /// Reads the first row, to know its type: with kLeaveOut the first that can be read.
  explicit Pipeline(std::shared_ptr<const RowSource> source, BadRows bad = BadRows::kThrow);
  Pipeline(const Pipeline& other);
  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(const Pipeline& other);
  Pipeline& operator=(Pipeline&&) noexcept;
  /// Stops the threads, also in the middle of reading.
  ~Pipeline();

  /// Appends transforms. Whether they fit the rows is checked here.
  Pipeline map(std::string_view transforms) const;
  Pipeline map(std::span<const Transform> transforms) const;
  /// Reads in the order of shuffled_rows(source size, seed).
  Pipeline shuffle(uint64_t seed) const;
  /// The same for another reading of it: shuffled rows come in an order of their own in each epoch,
  /// that of shuffled_rows(source size, seed + epoch).
  Pipeline epoch(int64_t epoch) const;
  /// The first `rows` rows only, after shuffling.
  Pipeline limit(int64_t rows) const;
  /// Without the first `batches` batches, of the size that is said by then; source_index and
  /// first_row count from behind them.
  Pipeline skip(int64_t batches) const;
  /// Rows per batch, 1 unless said. The last batch is smaller where the rows do not divide, or,
  /// with `drop_remainder`, left out.
  Pipeline batch(int64_t rows, bool drop_remainder = false) const;
  /// Part `index` of `count` of each batch only: its rows from floor(rows · index / count) on, none
  /// where there are more parts than rows. The other rows are not read. With `pieces`, of each of
  /// so many equal pieces of a batch, one after the other. Throws kInvalidArgument where the
  /// batches that are read by then are no such pieces.
  Pipeline part(int64_t index, int64_t count, int64_t pieces = 1) const;
  /// How many batches may wait; unless said 2, or more where that leaves threads without two rows
  /// each, or where batches are small: up to 4 MiB, so that a busy machine's pauses pass. 0: each
  /// batch is made by the call of next().
  Pipeline prefetch(int batches) const;
  /// Threads that transform; as many as processors unless said.
  Pipeline threads(int count) const;

  const RowSource& source() const;
  /// The transforms so far.
  std::span<const Transform> transforms() const;
  /// The source's place of the row that is number `row` in the order of reading.
  int64_t source_index(int64_t row) const;
  /// The same of a row of a batch that this has given.
  int64_t source_index(const Batch& batch, int64_t row) const;
  /// A row of a batch. Throws kInvalidArgument when the source is empty.
  RowType row_type() const;
  /// The rows and batches that reading to the end gives.
  int64_t row_count() const;
  int64_t batch_count() const;
  /// Of the first batch, and of all but the last.
  int64_t batch_rows() const;

  /// Begins to read, which next() does otherwise: what uses the rows can be made ready meanwhile.
  void start();
  /// The next batch, or nothing after the last. An error in a row is thrown here, then and ever
  /// after.
  std::optional<Batch> next();
  /// Begins again at the first batch.
  void rewind();

 private:
  internal::ReadPlan change() const;
  explicit Pipeline(internal::ReadPlan plan);

  std::shared_ptr<const internal::ReadPlan> plan_;
  std::unique_ptr<internal::Reading> reading_;  // made by start() or the first next()
};

}  // namespace tessera
