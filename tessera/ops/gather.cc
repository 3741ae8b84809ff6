#include <fmt/format.h>

#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/lookup.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

size_t axis_of(const OpCall& call) {
  return internal::wrap_axis(call.attr<int64_t>("axis"), call.global(0).size());
}

void gather_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::look_up(call, {.table = 0, .indices = 1, .axis = axis_of(call)}, operands, results);
}

std::string gather_rule(const OpCall& call) {
  const size_t axis = axis_of(call);
  std::vector<std::string> x = internal::dim_words(call.global(0).size());
  std::vector<std::string> indices;
  for (size_t d = 0; d < call.global(1).size(); ++d) indices.push_back(fmt::format("i{}", d));
  std::vector<std::string> y(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(axis));
  y.insert(y.end(), indices.begin(), indices.end());
  y.insert(y.end(), x.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.end());
  x[axis] = internal::row_word(call.operands[0].dtype);
  return fmt::format("{}, {} -> {}", internal::spell(x), internal::spell(indices),
                     internal::spell(y));
}

Gradients gather_gradient(const GradientCall& call) {
  const Shape& x = call.operands[0].shape();
  const size_t axis = internal::wrap_axis(call.attr<int64_t>("axis"), x.size());
  const int64_t rows = x[axis];
  return {embedding_grad(call.operands[1], call.gradient(),
                         {{"rows", rows}, {"axis", static_cast<int64_t>(axis)}})};
}

}  // namespace

TESSERA_OP(gather) {
  return {
      .mindspore_name = "Gather",
      .doc =
          "y[a,i,b] = x[a,indices[i],b], the axis between a and b; an index outside [-n,n) is an "
          "error.",
      .operands = {{"x", DTypes::kAny}, {"indices", DTypes::kIndex}},
      .attrs = {{"axis", int64_t{0}, "along which the indices count"}},
      .rule = gather_rule,
      .gradient = gather_gradient,
      .kernels = {reference(gather_cpu)},
      .examples =
          {{.shapes = {{5, 3}, {2, 4}}, .dtypes = {DType::kF32, DType::kI32}, .index_limit = 5},
           {.shapes = {{3, 5, 2}, {3}},
            .attrs = {{"axis", 1}},
            .dtypes = {DType::kF32, DType::kI64},
            .index_limit = 5},
           {.shapes = {{3, 5}, {}},
            .attrs = {{"axis", -1}},
            .dtypes = {DType::kF32, DType::kI32},
            .index_limit = 5},
           {.shapes = {{6, 2}, {4}}, .dtypes = {DType::kBool, DType::kI32}, .index_limit = 6},
           {.shapes = {{6, 2}, {4}}, .dtypes = {DType::kF16, DType::kI32}, .index_limit = 6}},
  };
}

}  // namespace tessera
