// The loop that the pools and their gradients share.
#pragma once

#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/internal/window.h"

namespace tessera::internal {

/// The part of a window that lies inside the input.
struct Patch {
  int64_t y = 0;  // index of the window
  int64_t x = 0;
  int64_t top = 0;
  int64_t bottom = 0;
  int64_t left = 0;
  int64_t right = 0;
};

/// Whether avg_pool divides by the padding's elements too.
inline bool counts_padding(const OpCall& call) {
  return call.attr<std::string>("pad_mode") == "pad" && call.attr<bool>("count_include_pad");
}
/// By how many elements avg_pool divides what it sums up in a window: with padding counted, as far
/// as the padding reaches.
inline int64_t averaged_count(const Window& window, const Patch& patch, bool with_padding) {
  if (!with_padding) return (patch.bottom - patch.top) * (patch.right - patch.left);
  const auto counted = [](const WindowDim& dim, int64_t index) {
    const int64_t begin = dim.begin(index);
    return std::min(begin + dim.kernel, dim.input + dim.pad_end) - begin;
  };
  return counted(window.y, patch.y) * counted(window.x, patch.x);
}
/// Those of the pools, and whether padding counts.
inline std::vector<AttrDef> avg_pool_attrs() {
  std::vector<AttrDef> attrs = pool_attrs();
  attrs.push_back({"count_include_pad", true,
                   "divide by the padding's elements too; only for pad_mode \"pad\""});
  return attrs;
}

/// Calls visit(patch) for every window of one plane, in row-major order.
template <typename Visit>
void each_patch(const Window& window, Visit visit) {
  for (int64_t y = 0; y < window.y.output; ++y) {
    for (int64_t x = 0; x < window.x.output; ++x) {
      const int64_t top = window.y.begin(y);
      const int64_t left = window.x.begin(x);
      visit(Patch{y, x, std::max<int64_t>(0, top), std::min(window.y.input, top + window.y.kernel),
                  std::max<int64_t>(0, left), std::min(window.x.input, left + window.x.kernel)});
    }
  }
}

/// Sets every result to reduce(plane, patch), where plane is one [h,w] of the input and the value
/// is float or double.
template <typename Reduce>
void pool(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results,
          Reduce reduce) {
  const Window window = pool_window(call);
  const Shape& shape = operands[0].shape();
  visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* plane = operands[0].data<T>().data();
    T* out = results[0].mutable_data<T>().data();
    for (int64_t p = 0; p < shape[0] * shape[1]; ++p, plane += shape[2] * shape[3])
      each_patch(window, [&](const Patch& patch) { *out++ = narrow<T>(reduce(plane, patch)); });
  });
}

}  // namespace tessera::internal
