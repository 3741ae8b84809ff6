#include "tessera/ops/internal/window.h"

#include <fmt/format.h>

#include "tessera/base/shown.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

// Far above every real window; products and sums of two such extents fit into 64 bits.
constexpr int64_t kMost = INT32_MAX;

/// `name` as `count` integers of at least `least`.
const Ints& ints(const OpCall& call, std::string_view name, size_t count, int64_t least) {
  const Ints& values = call.attr<Ints>(name);
  const bool good =
      values.size() == count && std::all_of(values.begin(), values.end(),
                                            [&](int64_t v) { return v >= least && v <= kMost; });
  require(good, "attribute {} is {}, wants {} integers from {} to {}", name,
          to_string(Attr(values)), count, least, kMost);
  return values;
}

void place(WindowDim& dim, std::string_view pad_mode, bool ceil_mode) {
  const int64_t reach = checked_product(dim.kernel - 1, dim.dilation) + 1;
  if (pad_mode == "same") {
    dim.output = (dim.input + dim.stride - 1) / dim.stride;
    const int64_t wanted = (dim.output - 1) * dim.stride + reach;
    const int64_t padding = std::max<int64_t>(0, wanted - dim.input);
    dim.pad_begin = padding / 2;
    dim.pad_end = padding - dim.pad_begin;
    return;
  }
  const int64_t room = dim.input + dim.pad_begin + dim.pad_end - reach;
  require(room >= 0, "a window of {} does not fit into {} elements with padding {} and {}", reach,
          dim.input, dim.pad_begin, dim.pad_end);
  dim.output = room / dim.stride + 1;
  if (ceil_mode && room % dim.stride != 0 && dim.begin(dim.output) < dim.input) ++dim.output;
}

/// Reads stride, pad_mode and padding, then places both dims.
Window placed(const OpCall& call, Window window, bool ceil_mode) {
  const Ints& stride = ints(call, "stride", 2, 1);
  const Ints& padding = ints(call, "padding", 4, 0);
  const auto& pad_mode = call.attr<std::string>("pad_mode");
  require(pad_mode == "same" || pad_mode == "valid" || pad_mode == "pad",
          "pad_mode '{}' is none of same, valid, pad", printable(pad_mode));
  require(pad_mode == "pad" || padding == Ints(4, 0),
          "padding {} is given but pad_mode is {}; only pad_mode \"pad\" uses it",
          to_string(Attr(padding)), pad_mode);
  window.y.stride = stride[0];
  window.x.stride = stride[1];
  window.y.pad_begin = padding[0];
  window.y.pad_end = padding[1];
  window.x.pad_begin = padding[2];
  window.x.pad_end = padding[3];
  for (WindowDim* dim : {&window.y, &window.x}) {
    require(dim->input > 0 && dim->input <= kMost && dim->kernel <= kMost,
            "a window of {} cannot slide over {} elements", dim->kernel, dim->input);
    place(*dim, pad_mode, ceil_mode);
  }
  return window;
}

}  // namespace

TapRange covered(const WindowDim& dim, int64_t tap) {
  const int64_t shift = tap * dim.dilation - dim.pad_begin;  // input index of output index 0
  TapRange range;
  range.begin = shift >= 0 ? 0 : (-shift + dim.stride - 1) / dim.stride;
  range.end = shift >= dim.input ? 0 : (dim.input - shift - 1) / dim.stride + 1;
  range.end = std::min(range.end, dim.output);
  return range;
}

Window conv_window(const OpCall& call) {
  return conv_window(call, call.global(0), call.global(1));
}

Window conv_window(const OpCall& call, const Shape& x, const Shape& weight) {
  require(x.size() == 4 && weight.size() == 4,
          "conv2d wants x [n,c,h,w] and weight [o,i,h,w], found {} and {}", shown(x),
          shown(weight));
  require(weight[2] > 0 && weight[3] > 0, "weight is {}, its window is empty", shown(weight));
  const Ints& dilation = ints(call, "dilation", 2, 1);
  Window window;
  window.y = {.input = x[2], .kernel = weight[2], .dilation = dilation[0]};
  window.x = {.input = x[3], .kernel = weight[3], .dilation = dilation[1]};
  return placed(call, window, false);
}

std::vector<AttrDef> conv_attrs() {
  return {{"stride", Ints{1, 1}, "vertical and horizontal step"},
          {"pad_mode", "same", "same, valid or pad"},
          {"padding", Ints{0, 0, 0, 0}, "top, bottom, left, right; for pad_mode \"pad\""},
          {"dilation", Ints{1, 1}, "distance of the window's elements"},
          {"groups", int64_t{1}, "groups of channels that see only each other"}};
}

ConvGroups conv_groups(const Shape& x, const Shape& weight) {
  ConvGroups groups;
  groups.inputs = weight[1];
  groups.count = groups.inputs == 0 ? 1 : x[1] / groups.inputs;
  groups.outputs = groups.count == 0 ? 0 : weight[0] / groups.count;
  return groups;
}

Window pool_window(const OpCall& call) {
  return pool_window(call, call.global(0));
}

Window pool_window(const OpCall& call, const Shape& x) {
  require(x.size() == 4, "pooling wants x [n,c,h,w], found {}", shown(x));
  const Ints& kernel = ints(call, "kernel", 2, 1);
  Window window;
  window.y = {.input = x[2], .kernel = kernel[0]};
  window.x = {.input = x[3], .kernel = kernel[1]};
  window = placed(call, window, call.attr<bool>("ceil_mode"));
  for (const WindowDim* dim : {&window.y, &window.x})
    require(std::max(dim->pad_begin, dim->pad_end) < dim->kernel,
            "padding {} and {} is not below the window's {}: some windows would see no element",
            dim->pad_begin, dim->pad_end, dim->kernel);
  return window;
}

void check_pooled(const Window& window, const Shape& gradient) {
  require(gradient.size() == 4 && gradient[2] == window.y.output && gradient[3] == window.x.output,
          "gradient is {}, the pool has {}x{} windows", shown(gradient), window.y.output,
          window.x.output);
}

std::vector<AttrDef> pool_attrs() {
  return {{"kernel", Ints{2, 2}, "height and width of the window", true},
          {"stride", Ints{1, 1}, "vertical and horizontal step"},
          {"pad_mode", "valid", "same, valid or pad"},
          {"padding", Ints{0, 0, 0, 0}, "top, bottom, left, right; for pad_mode \"pad\""},
          {"ceil_mode", false, "also pool the elements that are left over at the end"}};
}

std::string pool_rule(const OpCall& call) {
  const Window window = pool_window(call);
  return fmt::format("n c [h] [w] -> n c [y={}] [x={}]", window.y.output, window.x.output);
}

}  // namespace tessera
