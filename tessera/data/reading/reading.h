// One reading of a plan's batches by threads, from the first on.
//
// Batches are made in blocks of one or more, blocks in parts of rows. Parts are numbered; a thread
// takes the next number by one atomic addition, so parts are begun in order. A ring has a place for
// each block that may wait. The reader takes a whole block and then gives its batches without
// asking anybody; where it would have to wait for a block of which parts are left, it makes them
// itself.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tessera/data/reading/row_filler.h"

namespace tessera::internal {

class Reading {
 public:
  explicit Reading(std::shared_ptr<const ReadPlan> plan);
  /// Stops the threads, also in the middle of reading.
  ~Reading();
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  /// What Pipeline::next() gives. One thread at a time.
  std::optional<Batch> next();

 private:
  struct Place;
  using Worker = RowFiller::Worker;

  int64_t count_parts(int64_t block) const;
  std::optional<Batch> next_without_threads();
  void take_block(int64_t block);
  void help(int64_t block);
  void wait_for(int64_t block);
  bool is_complete(int64_t block) const;
  [[noreturn]] void throw_error();

  void work();
  bool has_room(int64_t part, int64_t fewer) const;
  bool has_much_room() const;
  bool is_behind(int64_t part) const;
  void make_part(int64_t part, Worker& worker);
  void make_block(Place& place, int64_t block) const;
  void fill_rows(Place& place, int64_t part, Worker& worker, int64_t& batch);

  const std::shared_ptr<const ReadPlan> plan_;
  const int64_t batches_;
  const int64_t part_rows_;
  const int64_t block_batches_;
  const int64_t blocks_;
  const int64_t block_parts_;  // of every block but the last, which may have fewer
  const int64_t parts_;
  const int64_t ahead_;  // blocks
  RowFiller filler_;
  std::vector<Place> ring_;  // block b's place is b modulo its size

  // Of the reader.
  int64_t head_ = 0;            // the batch that next() gives
  std::vector<Batch> current_;  // the block of it
  Worker helper_;

  std::atomic<int64_t> next_part_ = 0;
  std::atomic<int64_t> taken_ = 0;  // blocks that the reader has taken
  std::atomic<bool> stopped_ = false;
  std::atomic<int64_t> error_batch_;  // behind the last: none
  std::exception_ptr error_;          // of the first batch that has one; under mutex_
  std::mutex mutex_;
  std::condition_variable room_;     // blocks were taken, or the end
  std::condition_variable ready_;    // a block is complete, or an error
  std::atomic<int> at_work_ = 0;     // threads that do not wait for room
  std::atomic<int> sleepers_ = 0;    // threads that wait for room
  std::atomic<bool> waits_ = false;  // the reader does
  std::vector<std::jthread> pool_;   // last: joined before the rest goes
};

}  // namespace tessera::internal
