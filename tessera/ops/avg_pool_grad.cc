#include <fmt/format.h>

#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/pool.h"

namespace tessera {
namespace {

/// The global shape of the pool's x.
Shape input_shape(const OpCall& call) {
  const Shape& gradient = call.global(0);
  const Ints& size = call.attr<Ints>("size");
  require(gradient.size() == 4 && size.size() == 2,
          "wants gradient [n,c,y,x] and size [h,w], found {} and {}", shown(gradient),
          to_string(Attr(size)));
  return {gradient[0], gradient[1], size[0], size[1]};
}

void avg_pool_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                       std::span<Tensor> results) {
  const Window window = pool_window(call, input_shape(call));
  const bool with_padding = internal::counts_padding(call);
  const int64_t width = window.x.input;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* gradient = operands[0].data<T>().data();
    T* out = results[0].mutable_data<T>().data();
    std::vector<double> sums(static_cast<size_t>(window.y.input * width));
    for (int64_t p = 0; p < operands[0].shape()[0] * operands[0].shape()[1]; ++p) {
      std::fill(sums.begin(), sums.end(), 0.0);
      internal::each_patch(window, [&](const internal::Patch& patch) {
        const double share = static_cast<double>(internal::widen(*gradient++)) /
                             static_cast<double>(averaged_count(window, patch, with_padding));
        for (int64_t y = patch.top; y < patch.bottom; ++y)
          for (int64_t x = patch.left; x < patch.right; ++x)
            sums[static_cast<size_t>(y * width + x)] += share;
      });
      for (const double sum : sums) *out++ = internal::narrow<T>(sum);
    }
  });
}

void check_avg_pool_grad(const OpCall& call) {
  check_pooled(pool_window(call, input_shape(call)), call.global(0));
}

std::string avg_pool_grad_rule(const OpCall& call) {
  const Ints& size = call.attr<Ints>("size");
  return fmt::format("n c [y] [x] -> n c [h={}] [w={}]", size[0], size[1]);
}

std::vector<AttrDef> avg_pool_grad_attrs() {
  std::vector<AttrDef> attrs = internal::avg_pool_attrs();
  attrs.push_back({"size", Ints{1, 1}, "height and width of x", true});
  return attrs;
}

}  // namespace

TESSERA_OP(avg_pool_grad) {
  return {
      .mindspore_name = "AvgPoolGrad",
      .doc =
          "The gradient of every window's mean in equal shares at the window's elements; those of "
          "windows that overlap add up.",
      .operands = {{"gradient"}},
      .attrs = avg_pool_grad_attrs(),
      .rule = avg_pool_grad_rule,
      .check = check_avg_pool_grad,
      .kernels = {reference(avg_pool_grad_cpu)},
      .examples = {{{{2, 3, 4, 3}},
                    {{"kernel", Ints{2, 2}}, {"stride", Ints{2, 2}}, {"size", Ints{8, 7}}}},
                   {{{2, 3, 4, 5}},
                    {{"kernel", Ints{3, 3}},
                     {"stride", Ints{2, 2}},
                     {"pad_mode", "same"},
                     {"size", Ints{7, 9}}}},
                   {{{2, 4, 5, 5}},
                    {{"kernel", Ints{3, 3}},
                     {"stride", Ints{2, 2}},
                     {"pad_mode", "pad"},
                     {"padding", Ints{1, 1, 1, 1}},
                     {"ceil_mode", true},
                     {"size", Ints{8, 8}}}},
                   {{{1, 5, 5, 7}},
                    {{"kernel", Ints{3, 2}},
                     {"pad_mode", "pad"},
                     {"padding", Ints{1, 0, 0, 1}},
                     {"count_include_pad", false},
                     {"size", Ints{6, 7}}}},
                   {{{3, 4, 1, 1}}, {{"kernel", Ints{7, 7}}, {"size", Ints{7, 7}}}}},
  };
}

}  // namespace tessera
