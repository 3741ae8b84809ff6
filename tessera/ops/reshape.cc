#include "tessera/ops/internal/moves/reshape.h"
#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"

namespace tessera {
namespace {

/// The wanted shape with its -1 replaced.
Shape target_shape(const OpCall& call) {
  const Ints& wanted = call.attr<Ints>("shape");
  Shape shape{std::span<const int64_t>(wanted)};
  const int64_t elements = element_count(call.global(0));
  const auto asked = late([&] { return to_string(Attr(wanted)); });
  int64_t known = 1;
  int64_t* open = nullptr;
  for (int64_t& extent : shape) {
    require(extent >= 0 || (extent == -1 && open == nullptr),
            "shape {} wants extents of 0 or more and at most one -1", asked);
    if (extent == -1)
      open = &extent;
    else
      known = checked_product(known, extent);
  }
  if (open != nullptr) {
    const bool fits = known == 0 ? elements == 0 : elements % known == 0;
    require(fits, "{} has {} elements, not a multiple of the {} in shape {}",
            shown(call.operands[0]), elements, known, asked);
    *open = known == 0 ? 0 : elements / known;
  }
  require(element_count(shape) == elements, "{} has {} elements, shape {} has {}",
          shown(call.operands[0]), elements, asked, element_count(shape));
  return shape;
}

}  // namespace

TESSERA_OP(reshape) {
  return {
      .mindspore_name = "Reshape",
      .doc = "The elements of x in the same order under another shape.",
      .operands = {{"x", DTypes::kAny}},
      .attrs = {{"shape", Ints{-1}, "the new shape; one extent may be -1: what is left", true}},
      .rule =
          [](const OpCall& call) {
            return internal::reshape_rule(call.global(0), target_shape(call));
          },
      .gradient = [](const GradientCall& call) -> Gradients {
        return {internal::reshape_as(call.gradient(), call.operands[0])};
      },
      .is_view = true,
      .kernels = {reference(internal::copy_as_is)},
      .examples = {{{{6, 4}}, {{"shape", Ints{2, 3, -1}}}},
                   {{{2, 3, 4}}, {{"shape", Ints{6, 4}}}},
                   {{{4, 6}}, {{"shape", Ints{6, 4}}}},
                   {{{2, 1, 12}}, {{"shape", Ints{4, 3, 1, 2}}}},
                   {{{0, 3}}, {{"shape", Ints{0, -1}}}},
                   {.shapes = {{8}}, .attrs = {{"shape", Ints{2, 2, 2}}}, .dtypes = {DType::kI8}}},
  };
}

}  // namespace tessera
