#include <cmath>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera {
namespace {

/// The dims that one mean is over, as [rows, row].
internal::AxisView rows_of(const OpCall& call, const Shape& shape) {
  const size_t axis = internal::wrap_axis(call.attr<int64_t>("begin_norm_axis"), shape.size());
  internal::AxisView view = internal::axis_view(shape, axis);
  view.extent *= view.inner;
  view.inner = 1;
  return view;
}

void layer_norm_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  const internal::AxisView view = rows_of(call, operands[0].shape());
  const auto epsilon = call.attr<double>("epsilon");
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> x = operands[0].data<T>();
    const std::span<const T> gamma = operands[1].data<T>();
    const std::span<const T> beta = operands[2].data<T>();
    const std::span<T> y = results[0].mutable_data<T>();
    const auto count = static_cast<size_t>(view.extent);
    for (size_t first = 0; first < x.size(); first += count) {
      double mean = 0;
      for (size_t i = first; i < first + count; ++i) mean += internal::widen(x[i]);
      mean /= static_cast<double>(count);
      double variance = 0;
      for (size_t i = first; i < first + count; ++i)
        variance += (internal::widen(x[i]) - mean) * (internal::widen(x[i]) - mean);
      const double deviation = std::sqrt(variance / static_cast<double>(count) + epsilon);
      for (size_t i = first; i < first + count; ++i) {
        const size_t at = i % gamma.size();
        y[i] = internal::narrow<T>((internal::widen(x[i]) - mean) / deviation *
                                       internal::widen(gamma[at]) +
                                   internal::widen(beta[at]));
      }
    }
  });
}

std::string layer_norm_rule(const OpCall& call) {
  const size_t ndim = call.global(0).size();
  const size_t norm = internal::wrap_axis(call.attr<int64_t>("begin_norm_axis"), ndim);
  const size_t params = internal::wrap_axis(call.attr<int64_t>("begin_params_axis"), ndim);
  std::vector<std::string> words = internal::dim_words(ndim);
  for (size_t d = norm; d < ndim; ++d) words[d] = internal::whole_word(words[d]);
  const std::string x = internal::spell(words);
  const std::string gamma = internal::spell(std::span<const std::string>(words).subspan(params));
  return x + ", " + gamma + ", " + gamma + " -> " + x;
}

}  // namespace

TESSERA_OP(layer_norm) {
  return {
      .mindspore_name = "LayerNorm",
      .doc =
          "y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance over the "
          "dims from begin_norm_axis on.",
      .operands = {{"x"}, {"gamma"}, {"beta"}},
      .attrs = {{"begin_norm_axis", int64_t{-1}, "the first dim that is normalised"},
                {"begin_params_axis", int64_t{-1}, "the first dim that gamma and beta have"},
                {"epsilon", 1e-7, "added to the variance"}},
      .rule = layer_norm_rule,
      .kernels = {reference(layer_norm_cpu)},
      .examples = {{{{2, 3, 5}, {5}, {5}}},
                   {{{4, 3, 5}, {3, 5}, {3, 5}},
                    {{"begin_norm_axis", 1}, {"begin_params_axis", 1}, {"epsilon", 1e-5}}},
                   {{{4, 3, 5}, {5}, {5}}, {{"begin_norm_axis", 1}, {"epsilon", 1e-3}}},
                   {{{4, 3, 5}, {3, 5}, {3, 5}}, {{"begin_params_axis", 1}}}},
  };
}

}  // namespace tessera
