// What the proofs of plans ask of boxes. The planners use none of it, so that a fault in one of
// them is not repeated in its proof.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "tessera/base/error.h"
#include "tessera/tensor/box.h"

namespace tessera::internal {

/// Calls `tell`, which throws, where `condition` does not hold: messages cost more than the checks.
template <typename Tell>
void require_proof(bool condition, const Tell& tell) {
  if (!condition) tell();
}

template <typename... Args>
[[noreturn]] void disprove(fmt::format_string<Args...> format, Args&&... args) {
  fail(ErrorCode::kInternal, format, std::forward<Args>(args)...);
}

inline bool is_inside(const Box& inner, const Box& outer) {
  for (size_t d = 0; d < outer.size.size(); ++d)
    if (inner.begin[d] < outer.begin[d] ||
        inner.begin[d] + inner.size[d] > outer.begin[d] + outer.size[d])
      return false;
  return true;
}

/// The elements that two boxes share.
inline int64_t shared(const Box& a, const Box& b) {
  int64_t count = 1;
  for (size_t d = 0; d < a.size.size(); ++d) {
    const int64_t begin = std::max(a.begin[d], b.begin[d]);
    const int64_t end = std::min(a.begin[d] + a.size[d], b.begin[d] + b.size[d]);
    if (end <= begin) return 0;
    count *= end - begin;
  }
  return count;
}

/// Calls `tell(a, b)`, which throws, for two boxes of a tensor that share elements.
template <typename Tell>
void require_disjoint(std::vector<const Box*> boxes, const Tell& tell) {
  if (boxes.size() > 1 && boxes[0]->begin.empty()) tell(*boxes[0], *boxes[1]);
  if (boxes.size() < 2) return;
  // Sorted by their first element, only neighbours can overlap in dim 0.
  std::sort(boxes.begin(), boxes.end(),
            [](const Box* a, const Box* b) { return a->begin[0] < b->begin[0]; });
  for (size_t i = 0; i < boxes.size(); ++i)
    for (size_t j = i + 1;
         j < boxes.size() && boxes[j]->begin[0] < boxes[i]->begin[0] + boxes[i]->size[0]; ++j)
      if (shared(*boxes[i], *boxes[j]) != 0) tell(*boxes[i], *boxes[j]);
}

}  // namespace tessera::internal
