#include "tessera/reshard/internal/extents.h"

namespace tessera::internal {

Extents extents_of(const Box& piece, const Box& box, uint64_t width, uint64_t gap) {
  Extents extents;
  if (width == 0 || is_empty(box)) return extents;
  int64_t first = 0, last = 0;
  for (size_t d = 0; d < box.size.size(); ++d) {
    const int64_t begin = box.begin[d] - piece.begin[d];
    first = first * piece.size[d] + begin;
    last = last * piece.size[d] + begin + box.size[d] - 1;
  }
  extents.begin = static_cast<uint64_t>(first) * width;
  extents.end = (static_cast<uint64_t>(last) + 1) * width;
  // From the innermost dim outwards: `run` bytes follow each other, `row` bytes are one step of the
  // next dim. Steps join while what lies between them is short.
  uint64_t run = width, row = width;
  extents.count = 1;
  bool joins = true;
  for (size_t d = box.size.size(); d-- > 0;) {
    const auto steps = static_cast<uint64_t>(box.size[d]);
    if (joins && (steps == 1 || row - run < gap)) {
      run += (steps - 1) * row;
    } else {
      joins = false;
      extents.count *= steps;
    }
    row *= static_cast<uint64_t>(piece.size[d]);
  }
  extents.run = run;
  return extents;
}

}  // namespace tessera::internal
