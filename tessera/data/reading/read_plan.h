// What a pipeline reads and how: the description that its copies share, and the rules of places
// that follow from it. Rows of the order of reading are numbered from 0; `source_index` says which
// row of the source that is.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tessera/base/parallel.h"
#include "tessera/data/internal/row_chain.h"
#include "tessera/data/pipeline.h"
#include "tessera/data/reading/spare_buffers.h"

namespace tessera::internal {

/// The message without the lines of what the program was doing.
std::string headline(const Error& error);

struct ReadPlan {
  std::shared_ptr<const RowSource> source;
  std::vector<Transform> transforms;
  std::optional<int64_t> limit;
  int64_t batch_rows = 1;
  bool drop_remainder = false;
  int64_t part_index = 0;  // of each batch
  int64_t part_count = 1;
  int64_t pieces = 1;  // of each batch, of each of which the part is
  std::optional<int> prefetch;
  int threads = default_thread_count();
  BadRows bad = BadRows::kThrow;
  std::optional<RowType> first;                       // of the first row; none of an empty source
  std::shared_ptr<const RowChain> chain;              // null for an empty source
  std::shared_ptr<const std::vector<int64_t>> order;  // null: the source's order
  int64_t skipped = 0;                                // rows of the order
  uint64_t seed = 0;                                  // of the order
  /// Of batches, for every reading by this plan and by plans made of it: an epoch uses the last's.
  std::shared_ptr<SpareBuffers> spare = std::make_shared<SpareBuffers>(INT64_MAX);

  /// Reads rows until one can be read, to know their type.
  void read_first();
  /// To be called when the transforms have changed.
  void bind();

  int64_t source_index(int64_t row) const {
    row += skipped;
    return order ? (*order)[static_cast<size_t>(row)] : row;
  }
  int64_t row_count() const;
  int64_t batch_count() const { return (row_count() + batch_rows - 1) / batch_rows; }
  /// How many rows a thread takes at a time: as many as amount to something, at least one.
  int64_t part_rows() const;
  /// How many batches are handed over at once: those that a thread makes together.
  int64_t block_batches() const;
  /// How many blocks may wait; 0: each batch is made when it is asked for.
  int64_t blocks_ahead() const;
  /// Batch `index` without its tensors and bad rows.
  Batch outline(int64_t index) const;
  /// How far behind a batch's first_row its row number `row` is.
  int64_t place_in(const Batch& batch, int64_t row) const;
};

}  // namespace tessera::internal
