#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/moves/strided_copy.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

/// Dim d of the result is dim perm[d] of x.
std::vector<size_t> permutation(const OpCall& call, size_t ndim) {
  const Ints& perm = call.attr<Ints>("perm");
  require(perm.size() == ndim, "perm {} has {} entries, x has {} dims", to_string(Attr(perm)),
          perm.size(), ndim);
  // Entries that are all different and in range are a permutation.
  if (!perm.empty()) internal::chosen_axes(perm, ndim);
  std::vector<size_t> dims;
  for (const int64_t axis : perm) dims.push_back(internal::wrap_axis(axis, ndim));
  return dims;
}

void transpose_cpu(const OpCall& call, std::span<const Tensor> operands,
                   std::span<Tensor> results) {
  const Shape strides = row_major_strides(operands[0].shape());
  internal::StridedView from;
  for (const size_t d : permutation(call, operands[0].ndim())) from.strides.push_back(strides[d]);
  const Shape& shape = results[0].shape();
  internal::copy_strided(operands[0], from, results[0], {0, row_major_strides(shape)}, shape);
}

std::string transpose_rule(const OpCall& call) {
  const size_t ndim = call.global(0).size();
  const std::vector<std::string> from = internal::dim_words(ndim);
  std::vector<std::string> to;
  for (const size_t d : permutation(call, ndim)) to.push_back(from[d]);
  return internal::spell(from) + " -> " + internal::spell(to);
}

Gradients transpose_gradient(const GradientCall& call) {
  const Ints& perm = call.attr<Ints>("perm");
  Ints back(perm.size());
  for (size_t d = 0; d < perm.size(); ++d)
    back[internal::wrap_axis(perm[d], perm.size())] = static_cast<int64_t>(d);
  return {transpose(call.gradient(), {{"perm", back}})};
}

}  // namespace

TESSERA_OP(transpose) {
  return {
      .mindspore_name = "Transpose",
      .doc = "Dim d of the result is dim perm[d] of x.",
      .operands = {{"x", DTypes::kAny}},
      .attrs = {{"perm", Ints{}, "a permutation of the dims", true}},
      .rule = transpose_rule,
      .gradient = transpose_gradient,
      .kernels = {reference(transpose_cpu)},
      .examples = {{{{2, 3, 4, 5}}, {{"perm", Ints{0, 2, 3, 1}}}},
                   {{{5, 7}}, {{"perm", Ints{1, 0}}}},
                   {{{2, 3, 4}}, {{"perm", Ints{-1, 0, 1}}}},
                   {.shapes = {{3, 4}}, .attrs = {{"perm", Ints{1, 0}}}, .dtypes = {DType::kF64}},
                   {.shapes = {{3, 4}}, .attrs = {{"perm", Ints{1, 0}}}, .dtypes = {DType::kI8}}},
  };
}

}  // namespace tessera
