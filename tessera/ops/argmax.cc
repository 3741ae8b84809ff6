#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera {
namespace {

void argmax_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const Shape& shape = operands[0].shape();
  const internal::AxisView view =
      internal::axis_view(shape, internal::wrap_axis(call.attr<int64_t>("axis"), shape.size()));
  internal::visit_number(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    int32_t* out = results[0].mutable_data<int32_t>().data();
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t j = 0; j < view.inner; ++j) {
        const T* x = operands[0].data<T>().data() + o * view.extent * view.inner + j;
        int64_t best = 0;
        for (int64_t i = 1; i < view.extent; ++i)
          if (internal::widen(x[i * view.inner]) > internal::widen(x[best * view.inner])) best = i;
        *out++ = static_cast<int32_t>(best);
      }
    }
  });
}

void check_argmax(const OpCall& call) {
  const Shape& x = call.global(0);
  const int64_t extent = x[internal::wrap_axis(call.attr<int64_t>("axis"), x.size())];
  require(extent > 0 && extent <= INT32_MAX, "{} has {} elements to choose from along its axis",
          shown(call.operands[0]), extent);
}

std::string argmax_rule(const OpCall& call) {
  const size_t ndim = call.global(0).size();
  const size_t axis = internal::wrap_axis(call.attr<int64_t>("axis"), ndim);
  std::vector<std::string> from = internal::dim_words(ndim);
  std::vector<std::string> to = from;
  from[axis] = internal::whole_word(from[axis]);
  to.erase(to.begin() + static_cast<std::ptrdiff_t>(axis));
  return internal::spell(from) + " -> " + internal::spell(to);
}

}  // namespace

TESSERA_OP(argmax) {
  return {
      .mindspore_name = "Argmax",
      .doc = "The index of the largest element along the axis, the first of equal ones, as i32.",
      .operands = {{"x", DTypes::kNumber}},
      .attrs = {{"axis", int64_t{-1}, "along which the largest is sought"}},
      .rule = argmax_rule,
      .result_dtypes = [](const OpCall&) { return std::vector<DType>{DType::kI32}; },
      .check = check_argmax,
      .kernels = {reference(argmax_cpu)},
      .examples = {{{{5, 7}}},
                   {{{2, 4, 3}}, {{"axis", 1}}},
                   {.shapes = {{4, 6}}, .dtypes = {DType::kI8}, .index_limit = 3}},
  };
}

}  // namespace tessera
