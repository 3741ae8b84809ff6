// Steps that work line by line on pictures u8 [h,w,c]: joined, what one gives the next takes while
// it lies in the nearest cache, and the picture between them is never stored.
#pragma once

#include <functional>
#include <memory>

#include "tessera/data/transform.h"

namespace tessera::internal {

/// Gets line `y`, counted from the first that is given.
using LineTask = std::function<void(int64_t y, std::span<const uint8_t> line)>;

/// A step that may give a part of its result line after line.
class GivesLines {
 public:
  virtual ~GivesLines() = default;
  /// Whether it is this part of the result that it gives.
  virtual bool gives_lines_of(const PixelBox& part) const = 0;
  virtual void give_lines(std::span<const std::byte> row, const LineTask& take) const = 0;
};

/// A step of which a line of the result depends on the line of the row alone.
class TakesLines {
 public:
  virtual ~TakesLines() = default;
  /// Line `y` of the row, into its place in `out`, which has the size of the result.
  virtual void take_line(int64_t y, std::span<const uint8_t> line,
                         std::span<std::byte> out) const = 0;
};

/// The two as one, or null where they do not fit. `part`: of what `giver` makes, that `taker`
/// takes.
std::shared_ptr<const RowStep> join_by_lines(std::shared_ptr<const RowStep> giver,
                                             std::shared_ptr<const RowStep> taker,
                                             const PixelBox& part);

}  // namespace tessera::internal
