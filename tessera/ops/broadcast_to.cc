#include <cstring>

#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/walk.h"

namespace tessera {
namespace {

void broadcast_to_cpu(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  const Shape& shape = results[0].shape();
  const Tensor& x = operands[0];
  const auto size = static_cast<size_t>(byte_size(x.dtype()));
  const std::byte* from = x.buffer()->data() + x.byte_offset();
  std::byte* to = results[0].buffer()->mutable_data() + results[0].byte_offset();
  internal::walk<1>(shape, {internal::broadcast_strides(x.shape(), shape)},
                    [&](const std::array<int64_t, 1>& at) {
                      std::memcpy(to, from + static_cast<size_t>(at[0]) * size, size);
                      to += size;
                    });
}

void check_broadcast_to(const OpCall& call) {
  const auto& wanted = call.attr<Ints>("shape");
  const Shape& x = call.global(0);
  bool fits = wanted.size() >= x.size();
  for (size_t d = 0; fits && d < x.size(); ++d) {
    const int64_t to = wanted[wanted.size() - x.size() + d];
    fits = x[d] == to || x[d] == 1;
  }
  for (const int64_t extent : wanted) fits = fits && extent >= 0;
  require(fits,
          "{} cannot be broadcast to {}: dims align from the right, extents must be equal or 1",
          shown(call.operands[0]), to_string(Shape(std::span(wanted))));
}

std::string broadcast_to_rule(const OpCall& call) {
  const auto& wanted = call.attr<Ints>("shape");
  const Shape& x = call.global(0);
  std::vector<std::string> to = internal::dim_words(wanted.size());
  std::vector<std::string> from;
  for (size_t d = 0; d < wanted.size(); ++d) {
    const size_t before = wanted.size() - x.size();
    const bool is_same = d >= before && x[d - before] == wanted[d];
    if (d >= before) from.push_back(is_same ? to[d] : "1");
    if (!is_same) to[d] += fmt::format("={}", wanted[d]);
  }
  return internal::spell(from) + " -> " + internal::spell(to);
}

}  // namespace

TESSERA_OP(broadcast_to) {
  return {
      .mindspore_name = "BroadcastTo",
      .doc = "x repeated along its dims of extent 1 and along new first dims.",
      .operands = {{"x", DTypes::kAny}},
      .attrs = {{.name = "shape",
                 .default_value = Ints{},
                 .doc = "that of the result",
                 .required = true}},
      .rule = broadcast_to_rule,
      .check = check_broadcast_to,
      .gradient = [](const GradientCall& call) -> Gradients {
        return {internal::sum_to(call.gradient(), call.operands[0])};
      },
      .kernels = {reference(broadcast_to_cpu)},
      .examples = {{{{2, 1, 3}}, {{"shape", Ints{4, 2, 5, 3}}}},
                   {{{}}, {{"shape", Ints{3, 2}}}},
                   {.shapes = {{4, 1}}, .attrs = {{"shape", Ints{4, 6}}}, .dtypes = {DType::kI32}}},
  };
}

}  // namespace tessera
