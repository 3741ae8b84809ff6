// Sums of exponentials along an axis, safe from overflow: what softmax, log_softmax and both cross
// entropies are made of.
#pragma once

#include <algorithm>
#include <cmath>

#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera::internal {

/// The largest element of a row and the sum of exp(x - top); computed in double.
struct SoftmaxRow {
  double top = 0;
  double sum = 0;

  /// The log of the probability that the row gives to an element x.
  double log_probability(double x) const { return x - top - std::log(sum); }
};

template <typename T>
SoftmaxRow softmax_row(const T* row, int64_t count, int64_t stride) {
  SoftmaxRow stats;
  stats.top = -HUGE_VAL;
  for (int64_t i = 0; i < count; ++i)
    stats.top = std::max(stats.top, static_cast<double>(widen(row[i * stride])));
  for (int64_t i = 0; i < count; ++i) stats.sum += std::exp(widen(row[i * stride]) - stats.top);
  return stats;
}

/// The class of row `n`, from labels of i64; throws kInvalidArgument where it is none of them.
inline int64_t label_of(const Tensor& labels, int64_t n, int64_t classes) {
  const int64_t label = labels.data<int64_t>()[static_cast<size_t>(n)];
  require(label >= 0 && label < classes, "label {} of row {} is not one of {} classes", label, n,
          classes);
  return label;
}

/// Sets every element of the result to function(x, stats of x's row along `axis`).
template <typename Function>
void map_softmax_rows(const OpCall& call, std::span<const Tensor> operands,
                      std::span<Tensor> results, Function function) {
  const Shape& shape = operands[0].shape();
  const AxisView view = axis_view(shape, wrap_axis(call.attr<int64_t>("axis"), shape.size()));
  visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = operands[0].data<T>().data();
    T* out = results[0].mutable_data<T>().data();
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t j = 0; j < view.inner; ++j) {
        const int64_t first = o * view.extent * view.inner + j;
        const SoftmaxRow stats = softmax_row(in + first, view.extent, view.inner);
        for (int64_t i = 0; i < view.extent; ++i) {
          const int64_t at = first + i * view.inner;
          out[at] = narrow<T>(function(static_cast<double>(widen(in[at])), stats));
        }
      }
    }
  });
}

/// The rule of these ops: "d0 [d1] -> d0 d1".
inline std::string softmax_rule(const OpCall& call) {
  const size_t ndim = call.global(0).size();
  return whole_axis_rule(ndim, wrap_axis(call.attr<int64_t>("axis"), ndim));
}

}  // namespace tessera::internal
