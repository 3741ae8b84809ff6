#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/moves/reshape.h"

namespace tessera {
namespace {

Shape flat_shape(const OpCall& call) {
  const Shape& x = call.global(0);
  const size_t begin = internal::wrap_axis(call.attr<int64_t>("axis"), x.size());
  const size_t end = internal::wrap_axis(call.attr<int64_t>("end_axis"), x.size());
  require(begin <= end, "axis {} lies behind end_axis {}", begin, end);
  Shape flat(x.begin(), x.begin() + begin);
  flat.push_back(element_count(Shape(x.begin() + begin, x.begin() + end + 1)));
  for (size_t d = end + 1; d < x.size(); ++d) flat.push_back(x[d]);
  return flat;
}

}  // namespace

TESSERA_OP(flatten) {
  return {
      .mindspore_name = "Flatten",
      .doc = "The dims from axis to end_axis become one; the order of the elements stays.",
      .operands = {{"x", DTypes::kAny}},
      .attrs = {{"axis", int64_t{1}, "the first dim to join"},
                {"end_axis", int64_t{-1}, "the last dim to join"}},
      .rule =
          [](const OpCall& call) {
            return internal::reshape_rule(call.global(0), flat_shape(call));
          },
      .gradient = [](const GradientCall& call) -> Gradients {
        return {internal::reshape_as(call.gradient(), call.operands[0])};
      },
      .is_view = true,
      .kernels = {reference(internal::copy_as_is)},
      .examples = {{{{4, 3, 2, 5}}},
                   {{{2, 3, 4}}, {{"axis", 0}, {"end_axis", 1}}},
                   {{{0, 3, 4}}},
                   {.shapes = {{4, 2, 3}}, .dtypes = {DType::kU8}}},
  };
}

}  // namespace tessera
