#include "tessera/tensor/cover.h"

#include <algorithm>
#include <utility>

#include "tessera/base/error.h"

namespace tessera {
namespace {

/// Appends `box` without `hole` as disjoint boxes; `hole` must lie inside `box`.
void append_rest(Box box, const Box& hole, std::vector<Box>& rest) {
  const auto keep = [&rest](Box part, size_t d, int64_t begin, int64_t end) {
    part.begin[d] = begin;
    part.size[d] = end - begin;
    if (!is_empty(part)) rest.push_back(std::move(part));
  };
  // Peel one dim after the other: below the hole, above it, then go on inside its extent.
  for (size_t d = 0; d < box.size.size(); ++d) {
    keep(box, d, box.begin[d], hole.begin[d]);
    keep(box, d, hole.begin[d] + hole.size[d], box.begin[d] + box.size[d]);
    box.begin[d] = hole.begin[d];
    box.size[d] = hole.size[d];
  }
}

}  // namespace

std::vector<Box> cover(std::span<const Box> pieces, const Box& wanted, std::vector<Copy>& copies) {
  if (is_empty(wanted)) return {};
  std::vector<Box> missing{wanted};
  std::vector<Box> still_missing;
  for (size_t p = 0; p < pieces.size() && !missing.empty(); ++p) {
    const auto meets = [&](const Box& gap) { return overlaps(pieces[p], gap); };
    if (std::none_of(missing.begin(), missing.end(), meets)) continue;
    still_missing.clear();
    for (Box& gap : missing) {
      if (!overlaps(pieces[p], gap)) {
        still_missing.push_back(std::move(gap));
        continue;
      }
      Box common = intersect(pieces[p], gap);
      append_rest(gap, common, still_missing);
      copies.push_back({p, std::move(common)});
    }
    std::swap(missing, still_missing);
  }
  return missing;
}

std::vector<Copy> cover(std::span<const Box> pieces, const Box& wanted) {
  std::vector<Copy> copies;
  const std::vector<Box> missing = cover(pieces, wanted, copies);
  if (!missing.empty())
    fail(ErrorCode::kNotFound, "no piece holds the elements {}", to_string(missing.front()));
  return copies;
}

bool covers(std::span<const Box> pieces, const Box& wanted) {
  std::vector<Copy> copies;
  return cover(pieces, wanted, copies).empty();
}

std::vector<Box> subtract(const Box& box, std::span<const Box> holes) {
  std::vector<Copy> copies;
  return cover(holes, box, copies);
}

}  // namespace tessera
