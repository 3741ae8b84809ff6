// The transforms of a pipeline, bound to one type of row and joined where that saves work:
// successive elementwise steps on unsigned bytes become one table of their 256 results per channel,
// which also fills the planes where to_chw follows, steps that only relabel cost nothing, and lines
// go from a resize to such a table without a picture between.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tessera/data/transform.h"

namespace tessera::internal {

class RowChain {
 public:
  RowChain(std::span<const Transform> transforms, RowType row);

  const RowType& source() const { return source_; }
  const RowType& result() const { return result_; }
  /// Whether the result is the row.
  bool keeps_rows() const { return steps_.empty(); }
  /// The pixels of the row that the result depends on; nothing: all.
  const std::optional<PixelBox>& needed() const { return needed_; }

  /// Memory that run() uses between steps; one per thread.
  struct Scratch {
    std::vector<std::byte> halves[2];
  };
  /// Transforms `row` into `out`, which has the size of result(). Thread-safe.
  void run(std::span<const std::byte> row, std::span<std::byte> out, Scratch& scratch) const;

 private:
  void join_lines();

  RowType source_;
  RowType result_;
  std::optional<PixelBox> needed_;
  std::vector<std::shared_ptr<const RowStep>> steps_;  // none relabels
};

}  // namespace tessera::internal
