// A box is a half-open rectangular region of a tensor's index space. Layouts, checkpoint pieces and
// transfers are all described by boxes, so one intersection serves all three.
#pragma once

#include <string>

#include "tessera/tensor/shape.h"

namespace tessera {

struct Box {
  Shape begin;
  Shape size;

  bool operator==(const Box&) const = default;
};

/// "[0,4]+[2,3]": begin and size.
std::string to_string(const Box& box);
/// The box that holds all of `shape`.
Box whole(const Shape& shape);
/// What both hold; some extent is 0 where nothing. Both must have the same number of dims.
Box intersect(const Box& a, const Box& b);
bool is_empty(const Box& box);
/// Whether intersect is not empty, without making it.
bool overlaps(const Box& a, const Box& b);
bool contains(const Box& outer, const Box& inner);

/// Calls visit(offset_in_a, offset_in_b, count) for every longest run of elements that is
/// contiguous in both row-major boxes; `common` must lie inside both. Offsets and counts are in
/// elements.
template <typename Visit>
void for_each_run(const Box& a, const Box& b, const Box& common, Visit visit) {
  if (is_empty(common)) return;
  // Trailing dims that `common` spans whole in both boxes join the run.
  size_t inner = common.size.size();
  int64_t run = 1;
  while (inner > 0) {
    --inner;
    run *= common.size[inner];
    if (common.size[inner] != a.size[inner] || common.size[inner] != b.size[inner]) break;
  }
  Shape index(inner, 0);
  while (true) {
    int64_t in_a = 0;
    int64_t in_b = 0;
    for (size_t d = 0; d < common.size.size(); ++d) {
      const int64_t at = common.begin[d] + (d < inner ? index[d] : 0);
      in_a = in_a * a.size[d] + at - a.begin[d];
      in_b = in_b * b.size[d] + at - b.begin[d];
    }
    visit(in_a, in_b, run);
    size_t d = inner;
    while (d > 0 && ++index[d - 1] == common.size[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

}  // namespace tessera
