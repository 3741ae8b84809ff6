#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/pool.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void max_pool_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const int64_t width = call.global(0)[3];
  internal::pool(call, operands, results, [&](const auto* plane, const internal::Patch& patch) {
    double top = -HUGE_VAL;
    for (int64_t y = patch.top; y < patch.bottom; ++y)
      for (int64_t x = patch.left; x < patch.right; ++x)
        top = std::max(top, static_cast<double>(internal::widen(plane[y * width + x])));
    return top;
  });
}

}  // namespace

TESSERA_OP(max_pool) {
  return {
      .mindspore_name = "MaxPool2d",
      .doc = "y[n,c,y,x] = the largest element of x in the window; padding counts as none.",
      .operands = {{"x"}},
      .attrs = pool_attrs(),
      .rule = pool_rule,
      .gradient = [](const GradientCall& call) -> Gradients {
        return {max_pool_grad(call.operands[0], call.gradient(), call.attrs)};
      },
      .kernels = {reference(max_pool_cpu)},
      .examples = {{{{2, 3, 8, 7}}, {{"kernel", Ints{2, 2}}, {"stride", Ints{2, 2}}}},
                   {{{2, 3, 7, 9}},
                    {{"kernel", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad_mode", "same"}}},
                   {{{1, 5, 6, 7}},
                    {{"kernel", Ints{2, 3}}, {"stride", Ints{2, 1}}, {"pad_mode", "same"}}},
                   {{{2, 4, 8, 8}},
                    {{"kernel", Ints{3, 3}},
                     {"stride", Ints{2, 2}},
                     {"pad_mode", "pad"},
                     {"padding", Ints{1, 1, 1, 1}},
                     {"ceil_mode", true}}},
                   {{{0, 3, 4, 4}}, {{"kernel", Ints{2, 2}}}}},
  };
}

}  // namespace tessera
