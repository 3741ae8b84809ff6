#include <fmt/format.h>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/strided_copy.h"

namespace tessera {
namespace {

/// Elements begin, begin + stride, ... of one dim, `count` of them.
struct Range {
  int64_t begin = 0;
  int64_t stride = 1;
  int64_t count = 0;

  bool is_whole(int64_t extent) const { return begin == 0 && stride == 1 && count == extent; }
};

/// Python's rule: negative positions count from the end, positions outside are cut to the ends.
Range range_of(int64_t begin, int64_t end, int64_t stride, int64_t extent) {
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

std::vector<Range> ranges(const OpCall& call) {
  const Shape& shape = call.global(0);
  const Ints& begin = call.attr<Ints>("begin");
  const Ints& end = call.attr<Ints>("end");
  const Ints& strides = call.attr<Ints>("strides");
  const bool fits = begin.size() == end.size() && begin.size() <= shape.size() &&
                    (strides.empty() || strides.size() == begin.size());
  require(fits, "begin {}, end {} and strides {} do not fit each other or {}",
          to_string(Attr(begin)), to_string(Attr(end)), to_string(Attr(strides)),
          to_string(call.operands[0]));
  std::vector<Range> all;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (d < begin.size())
      all.push_back(range_of(begin[d], end[d], strides.empty() ? 1 : strides[d], shape[d]));
    else
      all.push_back({0, 1, shape[d]});
  }
  return all;
}

void slice_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const Shape strides = row_major_strides(operands[0].shape());
  internal::StridedView from{0, strides};
  const std::vector<Range> all = ranges(call);
  // Dims that are not whole are here in full, and a whole dim has nothing to skip.
  for (size_t d = 0; d < all.size(); ++d) {
    from.offset += all[d].begin * strides[d];
    from.strides[d] = all[d].stride * strides[d];
  }
  const Shape& shape = results[0].shape();
  internal::copy_strided(operands[0], from, results[0], {0, row_major_strides(shape)}, shape);
}

std::string slice_rule(const OpCall& call) {
  std::vector<std::string> from = internal::dim_words(call.global(0).size());
  std::vector<std::string> to = from;
  const std::vector<Range> all = ranges(call);
  for (size_t d = 0; d < all.size(); ++d) {
    if (all[d].is_whole(call.global(0)[d])) continue;
    from[d] = fmt::format("[x{}]", d);
    to[d] = fmt::format("[y{}={}]", d, all[d].count);
  }
  return internal::spell(from) + " -> " + internal::spell(to);
}

}  // namespace

TESSERA_OP(slice) {
  return {
      .mindspore_name = "StridedSlice",
      .doc =
          "x[begin:end:strides] per dim by Python's rules; dims behind the last entry stay "
          "whole.",
      .operands = {{"x", DTypes::kAny}},
      .attrs = {{"begin", Ints{}, "first position per dim; negative counts from the end", true},
                {"end", Ints{}, "the position before which each dim ends", true},
                {"strides", Ints{}, "steps, may be negative; all 1 when empty"}},
      .rule = slice_rule,
      .kernels = {reference(slice_cpu)},
      .examples =
          {{{{4, 3, 5}}, {{"begin", Ints{0, 1}}, {"end", Ints{4, 3}}}},
           {{{3, 3, 5}},
            {{"begin", Ints{-1, 2, 4}}, {"end", Ints{-3, 0, -6}}, {"strides", Ints{-1, -1, -2}}}},
           {{{4, 6}}, {{"begin", Ints{0, 3}}, {"end", Ints{9, 1}}}},
           {.shapes = {{4, 6}},
            .attrs = {{"begin", Ints{0, 1}}, {"end", Ints{4, 6}}, {"strides", Ints{1, 3}}},
            .dtypes = {DType::kI64}}},
  };
}

}  // namespace tessera
