#include <fmt/format.h>

#include <cstring>

#include "tessera/base/shown.h"
#include "tessera/base/text.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/moves/mirror.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

/// `from` with `begin` and `end` elements more along one axis.
struct Padding {
  size_t axis = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

Tensor padded(const Tensor& from, const Padding& padding, std::string_view mode,
              const Tensor& value) {
  Shape shape = from.shape();
  shape[padding.axis] += padding.begin + padding.end;
  Tensor to(from.dtype(), shape);
  const internal::AxisView view = internal::axis_view(from.shape(), padding.axis);
  const auto element = static_cast<size_t>(byte_size(from.dtype()));
  const size_t row = static_cast<size_t>(view.inner) * element;
  const std::byte* in = from.bytes().data();
  std::byte* out = to.mutable_bytes().data();
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t i = -padding.begin; i < view.extent + padding.end; ++i, out += row) {
      const bool inside = i >= 0 && i < view.extent;
      if (inside || mode != "constant") {
        const int64_t at = internal::mirrored(i, view.extent, mode == "reflect" ? 1 : 0);
        std::memcpy(out, in + static_cast<size_t>(o * view.extent + at) * row, row);
      } else {
        for (size_t k = 0; k < row; k += element)
          std::memcpy(out + k, value.bytes().data(), element);
      }
    }
  }
  return to;
}

void pad_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const Ints& paddings = call.attr<Ints>("paddings");
  const auto& mode = call.attr<std::string>("mode");
  const Tensor value = Tensor::scalar(call.attr<double>("value")).cast(operands[0].dtype());
  Tensor x = operands[0];
  for (size_t d = 0; d < x.ndim(); ++d) {
    const Padding padding{d, paddings[2 * d], paddings[2 * d + 1]};
    if (padding.begin + padding.end > 0) x = padded(x, padding, mode, value);
  }
  copy_elements(x, results[0]);
}

void check_pad(const OpCall& call) {
  const Shape& x = call.global(0);
  const Ints& paddings = call.attr<Ints>("paddings");
  const auto& mode = call.attr<std::string>("mode");
  require(mode == "constant" || mode == "reflect" || mode == "symmetric",
          "mode '{}' is none of constant, reflect, symmetric", printable(mode));
  require(paddings.size() == 2 * x.size(),
          "paddings {} wants a begin and an end for each dim of {}", to_string(Attr(paddings)),
          shown(call.operands[0]));
  for (size_t i = 0; i < paddings.size(); ++i) {
    require(paddings[i] >= 0, "padding {} is below zero; slice cuts elements off", paddings[i]);
    const int64_t most = mode == "reflect" ? x[i / 2] - 1 : x[i / 2];
    require(mode == "constant" || paddings[i] <= std::max<int64_t>(most, 0),
            "mode {} can add up to {} elements to dim {} of {}, not {}", mode, most, i / 2,
            shown(call.operands[0]), paddings[i]);
  }
}

std::string pad_rule(const OpCall& call) {
  const Ints& paddings = call.attr<Ints>("paddings");
  std::vector<std::string> from = internal::dim_words(call.global(0).size());
  std::vector<std::string> to = from;
  for (size_t d = 0; d < from.size(); ++d) {
    const int64_t more = paddings[2 * d] + paddings[2 * d + 1];
    if (more == 0) continue;
    from[d] = fmt::format("[x{}]", d);
    to[d] = fmt::format("[y{}={}]", d, call.global(0)[d] + more);
  }
  return internal::spell(from) + " -> " + internal::spell(to);
}

Gradients pad_gradient(const GradientCall& call) {
  const Ints& paddings = call.attr<Ints>("paddings");
  if (call.attr<std::string>("mode") != "constant")
    return {mirror_pad_grad(call.gradient(),
                            {{"paddings", paddings}, {"mode", call.attr<std::string>("mode")}})};
  Ints begin, end;
  const Shape& shape = call.operands[0].shape();
  for (size_t d = 0; d < shape.size(); ++d) {
    begin.push_back(paddings[2 * d]);
    end.push_back(paddings[2 * d] + shape[d]);
  }
  return {slice(call.gradient(), {{"begin", begin}, {"end", end}})};
}

}  // namespace

TESSERA_OP(pad) {
  return {
      .mindspore_name = "Pad",
      .doc =
          "x with more elements around it: a value, or x mirrored with (symmetric) or without "
          "(reflect) its edge.",
      .operands = {{"x", DTypes::kMixed}},
      .attrs = {{"paddings", Ints{}, "begin and end of dim 0, begin and end of dim 1, ...", true},
                {"mode", "constant", "constant, reflect or symmetric"},
                {"value", 0.0, "for mode constant"}},
      .rule = pad_rule,
      .check = check_pad,
      .gradient = pad_gradient,
      .kernels = {reference(pad_cpu)},
      .examples = {{{{3, 4}}, {{"paddings", Ints{1, 2, 2, 1}}, {"value", 0.5}}},
                   {{{3, 4}}, {{"paddings", Ints{1, 2, 2, 1}}, {"mode", "reflect"}}},
                   {{{3, 4}}, {{"paddings", Ints{3, 2, 4, 1}}, {"mode", "symmetric"}}},
                   {{{4, 3, 2}}, {{"paddings", Ints{0, 0, 1, 0, 0, 0}}}},
                   {.shapes = {{2, 5}},
                    .attrs = {{"paddings", Ints{0, 0, 0, 3}}, {"value", 7}},
                    .dtypes = {DType::kI32}}},
  };
}

}  // namespace tessera
