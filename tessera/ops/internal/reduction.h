// What reduce_sum, reduce_mean and reduce_max share: their axes, rule and loop.
#pragma once

#include <string>
#include <vector>

#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/internal/walk.h"

namespace tessera::internal {

/// axis and keep_dims.
std::vector<AttrDef> reduction_attrs();
/// "d0 max:d1 -> d0", or "-> d0 1" with keep_dims; `kind` is "" for sums, "max:" for maxima.
std::string reduction_rule(const OpCall& call, std::string_view kind);
/// How many elements become one, counted in the whole tensor.
int64_t reduced_count(const OpCall& call);

/// Folds operand 0 into `sums`, which has one element per element of the result: sum =
/// fold(sum, x).
template <typename T, typename Sum, typename Fold>
void reduce_into(const OpCall& call, const Tensor& x, std::vector<Sum>& sums, Fold fold) {
  const std::vector<bool> reduced = chosen_axes(call.attr<Ints>("axis"), x.ndim());
  Shape kept = x.shape();
  for (size_t d = 0; d < kept.size(); ++d)
    if (reduced[d]) kept[d] = 1;
  Shape strides = row_major_strides(kept);
  for (size_t d = 0; d < kept.size(); ++d)
    if (reduced[d]) strides[d] = 0;
  const T* in = x.data<T>().data();
  walk<1>(x.shape(), {strides}, [&](const std::array<int64_t, 1>& at) {
    Sum& sum = sums[static_cast<size_t>(at[0])];
    sum = fold(sum, widen(*in++));
  });
}

}  // namespace tessera::internal
