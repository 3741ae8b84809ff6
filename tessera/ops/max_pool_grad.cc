#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/pool.h"

namespace tessera {
namespace {

/// The offset in the plane of the first of the window's largest elements.
template <typename T>
int64_t place_of_largest(const T* plane, int64_t width, const internal::Patch& patch) {
  int64_t at = patch.top * width + patch.left;
  for (int64_t y = patch.top; y < patch.bottom; ++y)
    for (int64_t x = patch.left; x < patch.right; ++x)
      if (internal::widen(plane[y * width + x]) > internal::widen(plane[at])) at = y * width + x;
  return at;
}

void max_pool_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                       std::span<Tensor> results) {
  const Window window = pool_window(call);
  const int64_t size = window.y.input * window.x.input;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* plane = operands[0].data<T>().data();
    const T* gradient = operands[1].data<T>().data();
    T* out = results[0].mutable_data<T>().data();
    const int64_t planes = operands[0].shape()[0] * operands[0].shape()[1];
    std::vector<double> sums(static_cast<size_t>(size));
    for (int64_t p = 0; p < planes; ++p, plane += size) {
      std::fill(sums.begin(), sums.end(), 0.0);
      internal::each_patch(window, [&](const internal::Patch& patch) {
        const int64_t at = place_of_largest(plane, window.x.input, patch);
        sums[static_cast<size_t>(at)] += internal::widen(*gradient++);
      });
      for (const double sum : sums) *out++ = internal::narrow<T>(sum);
    }
  });
}

void check_max_pool_grad(const OpCall& call) {
  check_pooled(pool_window(call), call.global(1));
}

}  // namespace

TESSERA_OP(max_pool_grad) {
  return {
      .mindspore_name = "MaxPoolGrad",
      .doc =
          "The gradient of every window's result at the first of the window's largest elements; "
          "those of windows that overlap add up.",
      .operands = {{"x"}, {"gradient"}},
      .attrs = pool_attrs(),
      .rule = OpDef::fixed_rule("n c [h] [w], n c [y] [x] -> n c h w"),
      .check = check_max_pool_grad,
      .kernels = {reference(max_pool_grad_cpu)},
      .examples = {{{{2, 3, 8, 7}, {2, 3, 4, 3}}, {{"kernel", Ints{2, 2}}, {"stride", Ints{2, 2}}}},
                   {{{2, 3, 7, 9}, {2, 3, 4, 5}},
                    {{"kernel", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad_mode", "same"}}},
                   {{{1, 5, 6, 7}, {1, 5, 3, 7}},
                    {{"kernel", Ints{2, 3}}, {"stride", Ints{2, 1}}, {"pad_mode", "same"}}},
                   {{{2, 4, 8, 8}, {2, 4, 5, 5}},
                    {{"kernel", Ints{3, 3}},
                     {"stride", Ints{2, 2}},
                     {"pad_mode", "pad"},
                     {"padding", Ints{1, 1, 1, 1}},
                     {"ceil_mode", true}}},
                   {{{0, 3, 4, 4}, {0, 3, 3, 3}}, {{"kernel", Ints{2, 2}}}}},
  };
}

}  // namespace tessera
