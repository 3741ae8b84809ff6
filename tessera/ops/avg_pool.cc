#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/pool.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void avg_pool_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const Window window = pool_window(call);
  const bool with_padding = internal::counts_padding(call);
  const int64_t width = window.x.input;
  internal::pool(call, operands, results, [&](const auto* plane, const internal::Patch& patch) {
    double sum = 0;
    for (int64_t y = patch.top; y < patch.bottom; ++y)
      for (int64_t x = patch.left; x < patch.right; ++x)
        sum += internal::widen(plane[y * width + x]);
    const int64_t count = averaged_count(window, patch, with_padding);
    return sum / static_cast<double>(count);
  });
}

Gradients avg_pool_gradient(const GradientCall& call) {
  const Shape& x = call.operands[0].shape();
  Attrs attrs = call.attrs;
  attrs["size"] = Ints{x[2], x[3]};
  return {avg_pool_grad(call.gradient(), attrs)};
}

}  // namespace

TESSERA_OP(avg_pool) {
  return {
      .mindspore_name = "AvgPool2d",
      .doc =
          "y[n,c,y,x] = the mean of x in the window; in pad_mode same over the elements inside "
          "the input.",
      .operands = {{"x"}},
      .attrs = internal::avg_pool_attrs(),
      .rule = pool_rule,
      .gradient = avg_pool_gradient,
      .kernels = {reference(avg_pool_cpu)},
      .examples = {{{{2, 3, 8, 7}}, {{"kernel", Ints{2, 2}}, {"stride", Ints{2, 2}}}},
                   {{{2, 3, 7, 9}},
                    {{"kernel", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad_mode", "same"}}},
                   {{{2, 4, 8, 8}},
                    {{"kernel", Ints{3, 3}},
                     {"stride", Ints{2, 2}},
                     {"pad_mode", "pad"},
                     {"padding", Ints{1, 1, 1, 1}},
                     {"ceil_mode", true}}},
                   {{{1, 5, 6, 7}},
                    {{"kernel", Ints{3, 2}},
                     {"pad_mode", "pad"},
                     {"padding", Ints{1, 0, 0, 1}},
                     {"count_include_pad", false}}},
                   {{{3, 4, 7, 7}}, {{"kernel", Ints{7, 7}}}}},
  };
}

}  // namespace tessera
