#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/pool.h"

namespace tessera {
namespace {

/// How many elements of one dim the window divides by: with padding counted, as far as the padding
/// reaches.
int64_t counted(const WindowDim& dim, int64_t index, bool with_padding) {
  const int64_t begin = dim.begin(index);
  const int64_t end = begin + dim.kernel;
  if (with_padding) return std::min(end, dim.input + dim.pad_end) - begin;
  return std::min(end, dim.input) - std::max<int64_t>(begin, 0);
}

void avg_pool_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  const Window window = pool_window(call);
  const bool with_padding =
      call.attr<std::string>("pad_mode") == "pad" && call.attr<bool>("count_include_pad");
  const int64_t width = window.x.input;
  internal::pool(call, operands, results, [&](const auto* plane, const internal::Patch& patch) {
    double sum = 0;
    for (int64_t y = patch.top; y < patch.bottom; ++y)
      for (int64_t x = patch.left; x < patch.right; ++x)
        sum += internal::widen(plane[y * width + x]);
    const int64_t count =
        counted(window.y, patch.y, with_padding) * counted(window.x, patch.x, with_padding);
    return sum / static_cast<double>(count);
  });
}

std::vector<AttrDef> avg_pool_attrs() {
  std::vector<AttrDef> attrs = pool_attrs();
  attrs.push_back({"count_include_pad", true,
                   "divide by the padding's elements too; only for pad_mode \"pad\""});
  return attrs;
}

}  // namespace

TESSERA_OP(avg_pool) {
  return {
      .mindspore_name = "AvgPool2d",
      .doc =
          "y[n,c,y,x] = the mean of x in the window; in pad_mode same over the elements inside "
          "the input.",
      .operands = {{"x"}},
      .attrs = avg_pool_attrs(),
      .rule = pool_rule,
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
