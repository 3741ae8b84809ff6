#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/moves/slice.h"
#include "tessera/ops/internal/moves/strided_copy.h"

namespace tessera {
namespace {

void slice_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  const Ints& wanted = call.attr<Ints>("shape");
  std::ranges::fill(results[0].mutable_bytes(), std::byte{});
  const Shape global{std::span(wanted)};
  const internal::StridedView to =
      internal::sliced_view(internal::slice_ranges(call, global), results[0].shape());
  const Shape& shape = operands[0].shape();
  internal::copy_strided(operands[0], {0, row_major_strides(shape)}, results[0], to, shape);
}

std::string slice_grad_rule(const OpCall& call) {
  const Ints& wanted = call.attr<Ints>("shape");
  const Shape shape{std::span(wanted)};
  const std::vector<internal::SliceRange> all = internal::slice_ranges(call, shape);
  require(call.global(0).size() == shape.size(), "gradient is {}, x {}", shown(call.global(0)),
          shown(shape));
  std::vector<std::string> to = internal::dim_words(shape.size());
  std::vector<std::string> from = to;
  for (size_t d = 0; d < all.size(); ++d) {
    require(call.global(0)[d] == all[d].count,
            "dim {} of the gradient {} is not the {} of the slice", d, shown(call.global(0)),
            all[d].count);
    if (all[d].is_whole(shape[d])) continue;
    from[d] = fmt::format("[y{}]", d);
    to[d] = fmt::format("[x{}={}]", d, shape[d]);
  }
  return internal::spell(from) + " -> " + internal::spell(to);
}

std::vector<AttrDef> slice_grad_attrs() {
  std::vector<AttrDef> attrs = internal::slice_attrs();
  attrs.push_back({"shape", Ints{}, "that of x", true});
  return attrs;
}

}  // namespace

TESSERA_OP(slice_grad) {
  return {
      .mindspore_name = "StridedSliceGrad",
      .doc = "The gradient's elements where slice took them from x, and 0 elsewhere.",
      .operands = {{"gradient"}},
      .attrs = slice_grad_attrs(),
      .rule = slice_grad_rule,
      .kernels = {reference(slice_grad_cpu)},
      .examples = {{{{4, 2, 5}},
                    {{"begin", Ints{0, 1}}, {"end", Ints{4, 3}}, {"shape", Ints{4, 3, 5}}}},
                   {{{2, 2, 3}},
                    {{"begin", Ints{-1, 2, 4}},
                     {"end", Ints{-3, 0, -6}},
                     {"strides", Ints{-1, -1, -2}},
                     {"shape", Ints{3, 3, 5}}}},
                   {{{4, 0}}, {{"begin", Ints{0, 3}}, {"end", Ints{9, 1}}, {"shape", Ints{4, 6}}}}},
  };
}

}  // namespace tessera
