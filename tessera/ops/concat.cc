#include <fmt/format.h>

#include "tessera/base/shown.h"
#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/moves/strided_copy.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void concat_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const Shape strides = row_major_strides(results[0].shape());
  const size_t axis = internal::wrap_axis(call.attr<int64_t>("axis"), strides.size());
  int64_t begin = 0;
  for (const Tensor& part : operands) {
    internal::copy_strided(part, {0, row_major_strides(part.shape())}, results[0],
                           {begin * strides[axis], strides}, part.shape());
    begin += part.shape()[axis];
  }
}

std::string concat_rule(const OpCall& call) {
  const size_t ndim = call.global(0).size();
  const size_t axis = internal::wrap_axis(call.attr<int64_t>("axis"), ndim);
  std::vector<std::string> words = internal::dim_words(ndim);
  std::string rule;
  int64_t total = 0;
  for (size_t i = 0; i < call.operand_count(); ++i) {
    require(call.global(i).size() == ndim, "operand {} is {}, operand 0 {}", i,
            shown(call.operands[i]), shown(call.operands[0]));
    words[axis] = fmt::format("[x{}]", i);
    rule += (i > 0 ? ", " : "") + internal::spell(words);
    total += call.global(i)[axis];
  }
  words[axis] = fmt::format("[y={}]", total);
  return rule + " -> " + internal::spell(words);
}

Gradients concat_gradient(const GradientCall& call) {
  const size_t axis =
      internal::wrap_axis(call.attr<int64_t>("axis"), call.results[0].shape().size());
  Gradients gradients(call.operands.size());
  Ints begin(axis + 1, 0);
  for (size_t i = 0; i < call.operands.size(); ++i) {
    const Shape shape = call.operands[i].shape();
    Ints end(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
    end[axis] += begin[axis];
    if (call.wanted[i]) gradients[i] = slice(call.gradient(), {{"begin", begin}, {"end", end}});
    begin[axis] = end[axis];
  }
  return gradients;
}

}  // namespace

TESSERA_OP(concat) {
  return {
      .mindspore_name = "Concat",
      .doc = "The operands one after the other along the axis.",
      .operands = {{.name = "x", .dtypes = DTypes::kAny, .variadic = true}},
      .attrs = {{"axis", int64_t{0}, "along which they follow each other"}},
      .rule = concat_rule,
      .gradient = concat_gradient,
      .kernels = {reference(concat_cpu)},
      .examples = {{{{2, 3, 4}, {5, 3, 4}}},
                   {{{2, 3, 4}, {2, 1, 4}, {2, 2, 4}}, {{"axis", 1}}},
                   {{{4, 3}, {4, 2}}, {{"axis", -1}}},
                   {{{2, 20, 3, 5}, {2, 7, 3, 5}}, {{"axis", 1}}},
                   {{{5}}},
                   {.shapes = {{4, 3}, {4, 0}, {4, 2}},
                    .attrs = {{"axis", 1}},
                    .dtypes = {DType::kI16, DType::kI16, DType::kI16}}},
  };
}

}  // namespace tessera
