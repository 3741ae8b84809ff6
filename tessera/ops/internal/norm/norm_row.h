// What layer_norm and its gradients share: attributes, rules, and rows that are normalised.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera::internal {

inline std::vector<AttrDef> layer_norm_attrs() {
  return {{"begin_norm_axis", int64_t{-1}, "the first dim that is normalised"},
          {"begin_params_axis", int64_t{-1}, "the first dim that gamma and beta have"},
          {"epsilon", 1e-7, "added to the variance"}};
}

/// The words of a rule: those of x, whose normalised dims are whole, and of gamma.
struct NormWords {
  std::string x;
  std::string gamma;
};
inline NormWords norm_words(const OpCall& call) {
  const size_t ndim = call.global(0).size();
  const size_t norm = wrap_axis(call.attr<int64_t>("begin_norm_axis"), ndim);
  const size_t params = wrap_axis(call.attr<int64_t>("begin_params_axis"), ndim);
  std::vector<std::string> words = dim_words(ndim);
  for (size_t d = norm; d < ndim; ++d) words[d] = whole_word(words[d]);
  return {spell(words), spell(std::span<const std::string>(words).subspan(params))};
}

/// The dims that one mean is over, as [rows, row].
inline AxisView norm_rows(const OpCall& call, const Shape& shape) {
  AxisView view = axis_view(shape, wrap_axis(call.attr<int64_t>("begin_norm_axis"), shape.size()));
  view.extent *= view.inner;
  view.inner = 1;
  return view;
}

/// One row: row(i) is element i normalised.
template <typename T>
struct NormRow {
  const T* x = nullptr;
  double mean = 0;
  double deviation = 1;

  double operator()(int64_t i) const { return (widen(x[i]) - mean) / deviation; }
};

/// Calls visit(row) for every `count` elements of x.
template <typename T, typename Visit>
void each_norm_row(std::span<const T> x, int64_t count, double epsilon, Visit visit) {
  const auto size = static_cast<size_t>(count);
  for (size_t first = 0; first < x.size(); first += size) {
    NormRow<T> row{x.data() + first};
    for (const T value : x.subspan(first, size)) row.mean += widen(value);
    row.mean /= static_cast<double>(count);
    double variance = 0;
    for (const T value : x.subspan(first, size))
      variance += (widen(value) - row.mean) * (widen(value) - row.mean);
    row.deviation = std::sqrt(variance / static_cast<double>(count) + epsilon);
    visit(row);
  }
}

}  // namespace tessera::internal
