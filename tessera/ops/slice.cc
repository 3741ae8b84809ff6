#include <fmt/format.h>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/moves/slice.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void slice_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const internal::StridedView from =
      internal::sliced_view(internal::slice_ranges(call, call.global(0)), operands[0].shape());
  const Shape& shape = results[0].shape();
  internal::copy_strided(operands[0], from, results[0], {0, row_major_strides(shape)}, shape);
}

std::string slice_rule(const OpCall& call) {
  std::vector<std::string> from = internal::dim_words(call.global(0).size());
  std::vector<std::string> to = from;
  const std::vector<internal::SliceRange> all = internal::slice_ranges(call, call.global(0));
  for (size_t d = 0; d < all.size(); ++d) {
    if (all[d].is_whole(call.global(0)[d])) continue;
    from[d] = fmt::format("[x{}]", d);
    to[d] = fmt::format("[y{}={}]", d, all[d].count);
  }
  return internal::spell(from) + " -> " + internal::spell(to);
}

Gradients slice_gradient(const GradientCall& call) {
  Attrs attrs = call.attrs;
  attrs["shape"] = internal::ints(call.operands[0].shape());
  return {slice_grad(call.gradient(), attrs)};
}

}  // namespace

TESSERA_OP(slice) {
  return {
      .mindspore_name = "StridedSlice",
      .doc =
          "x[begin:end:strides] per dim by Python's rules; dims behind the last entry stay "
          "whole.",
      .operands = {{"x", DTypes::kAny}},
      .attrs = internal::slice_attrs(),
      .rule = slice_rule,
      .gradient = slice_gradient,
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
