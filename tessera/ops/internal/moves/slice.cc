#include "tessera/ops/internal/moves/slice.h"

#include <algorithm>

#include "tessera/base/shown.h"

namespace tessera::internal {
namespace {

/// Python's rule: negative positions count from the end, positions outside are cut to the ends.
SliceRange range_of(int64_t begin, int64_t end, int64_t stride, int64_t extent) {
  require(stride != 0, "a stride of 0 never ends");
  const int64_t least = stride > 0 ? 0 : -1;
  const int64_t most = stride > 0 ? extent : extent - 1;
  const auto position = [&](int64_t p) { return std::clamp(p < 0 ? p + extent : p, least, most); };
  const int64_t first = position(begin);
  const int64_t distance = stride > 0 ? position(end) - first : first - position(end);
  if (distance <= 0) return {first, 1, 0};
  // A step beyond the end is as good as any: this also keeps -stride and products in range.
  const int64_t step = std::clamp(stride, -distance, distance);
  return {first, step, (distance - 1) / std::abs(step) + 1};
}

}  // namespace

std::vector<AttrDef> slice_attrs() {
  return {{"begin", Ints{}, "first position per dim; negative counts from the end", true},
          {"end", Ints{}, "the position before which each dim ends", true},
          {"strides", Ints{}, "steps, may be negative; all 1 when empty"}};
}

std::vector<SliceRange> slice_ranges(const OpCall& call, const Shape& shape) {
  const Ints& begin = call.attr<Ints>("begin");
  const Ints& end = call.attr<Ints>("end");
  const Ints& strides = call.attr<Ints>("strides");
  const bool fits = begin.size() == end.size() && begin.size() <= shape.size() &&
                    (strides.empty() || strides.size() == begin.size());
  require(fits, "begin {}, end {} and strides {} do not fit each other or {}",
          to_string(Attr(begin)), to_string(Attr(end)), to_string(Attr(strides)), shown(shape));
  std::vector<SliceRange> all;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (d < begin.size())
      all.push_back(range_of(begin[d], end[d], strides.empty() ? 1 : strides[d], shape[d]));
    else
      all.push_back({0, 1, shape[d]});
  }
  return all;
}

StridedView sliced_view(const std::vector<SliceRange>& ranges, const Shape& shape) {
  const Shape strides = row_major_strides(shape);
  StridedView view{0, strides};
  for (size_t d = 0; d < ranges.size(); ++d) {
    view.offset += ranges[d].begin * strides[d];
    view.strides[d] = ranges[d].stride * strides[d];
  }
  return view;
}

}  // namespace tessera::internal
