// Fills rows of batches: reads each from the source and transforms it straight into its place.
#pragma once

#include <mutex>
#include <optional>

#include "tessera/data/reading/read_plan.h"

namespace tessera::internal {

/// For one reading; its threads share it.
class RowFiller {
 public:
  explicit RowFiller(const ReadPlan& plan) : plan_(plan) {}

  /// What a thread keeps from row to row.
  struct Worker {
    RowChain::Scratch scratch;
    std::optional<RowChain> chain;  // for the last row that was unlike the first
  };
  /// Row `row` of `batch`, its label and, where it cannot be read and is to be left out, its bad
  /// row. Thread-safe for different rows.
  void fill(Batch& batch, int64_t row, Worker& worker);

 private:
  void fill_from(const Row& row, Tensor& out, Worker& worker) const;
  std::optional<Row> read(Batch& batch, int64_t index, const Tensor& out, Worker& worker);
  const RowChain& chain_for(const RowType& type, Worker& worker) const;

  const ReadPlan& plan_;
  std::mutex bad_mutex_;  // of the lists of bad rows
};

}  // namespace tessera::internal
