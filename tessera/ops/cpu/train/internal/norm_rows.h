// Rows of layer norm in vectors: what the kernels of its gradients share.
#pragma once

#include <cmath>

#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/train/internal/wide_sum.h"
#include "tessera/ops/internal/norm/norm_row.h"

namespace tessera::internal {

/// Yes where gamma, operand or result, has one element for each of a row.
inline Support norm_rows_support(const OpCall& call, const TensorType& gamma) {
  if (Support support = f32_filled(call); !support.ok) return support;
  return element_count(gamma.shape()) == norm_rows(call, call.shape(0)).extent
             ? Support::yes()
             : Support::no("gamma is not one row");
}

struct RowStatistics {
  float mean = 0;
  float scale = 1;  // 1 / deviation
};
inline RowStatistics row_statistics(const float* x, int64_t count, double epsilon) {
  const auto size = static_cast<float>(count);
  const float mean = wide_sums<1>(count, [&](int64_t i) { return std::array{x[i]}; })[0] / size;
  const float squares =
      wide_sums<1>(count, [&](int64_t i) { return std::array{(x[i] - mean) * (x[i] - mean)}; })[0];
  return {mean, static_cast<float>(1 / std::sqrt(squares / size + epsilon))};
}

}  // namespace tessera::internal
