// Where the windows of convolution and pooling lie, by MindSpore's pad modes.
//
//   same   output = ceil(input / stride); the padding that this needs is split in two, the odd
//          element goes to the end
//   valid  only windows that lie inside the input
//   pad    `padding` elements at top, bottom, left, right
#pragma once

#include <algorithm>

#include "tessera/graph/op_call.h"

namespace tessera {

/// One spatial dim: window i covers input elements i * stride - pad_begin + j * dilation, for j
/// below `kernel`; those outside [0, input) are padding.
struct WindowDim {
  int64_t input = 0;
  int64_t kernel = 0;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;
  int64_t output = 0;

  int64_t begin(int64_t index) const { return index * stride - pad_begin; }
};

struct Window {
  WindowDim y;
  WindowDim x;
};

/// The indices of output along one dim for which tap `tap` of the window lies inside the input.
struct TapRange {
  int64_t begin = 0;
  int64_t end = 0;
};
TapRange covered(const WindowDim& dim, int64_t tap);

/// The windows of a conv2d call; checks its attributes. Throws kInvalidArgument.
Window conv_window(const OpCall& call);
/// Those of a call of a gradient, whose operands are not conv2d's: of global shapes x and weight.
Window conv_window(const OpCall& call, const Shape& x, const Shape& weight);
/// The attributes of conv2d that say where its windows lie.
std::vector<AttrDef> conv_attrs();
/// Groups of a conv2d call, output channels per group and input channels per group of what is here.
/// Ranks hold whole groups, or parts of a single one.
struct ConvGroups {
  int64_t count = 1;
  int64_t inputs = 0;
  int64_t outputs = 0;
};
/// From the shapes of what is here of x and weight.
ConvGroups conv_groups(const Shape& x, const Shape& weight);
/// The windows of a max_pool or avg_pool call. With ceil_mode the last window may reach beyond the
/// padding, but begins inside the input or the padding before it.
Window pool_window(const OpCall& call);
/// Those of a call whose operand 0 is not the input: of global shape x.
Window pool_window(const OpCall& call, const Shape& x);
/// Refuses a gradient that has not the windows of a pool's result.
void check_pooled(const Window& window, const Shape& gradient);
/// The attributes that both pools have.
std::vector<AttrDef> pool_attrs();
/// "n c [h] [w] -> n c [y=4] [x=5]".
std::string pool_rule(const OpCall& call);

}  // namespace tessera
