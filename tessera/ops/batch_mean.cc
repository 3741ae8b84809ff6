#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/norm/batch_groups.h"

namespace tessera {
namespace {

/// Every rank divides its sum by the count of the whole, so that partial results add up.
void batch_mean_cpu(const OpCall& call, std::span<const Tensor> operands,
                    std::span<Tensor> results) {
  const internal::BatchRows rows(call, call.results[0]);
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = operands[0].data<T>().data();
    const std::span<T> mean = results[0].mutable_data<T>();
    std::vector<double> sums(mean.size(), 0.0);
    rows.each_plane([&](int64_t at, int64_t statistics) {
      double& sum = sums[static_cast<size_t>(statistics)];
      for (int64_t i = 0; i < rows.inner(); ++i) sum += internal::widen(x[at + i]);
    });
    for (size_t i = 0; i < mean.size(); ++i) mean[i] = internal::narrow<T>(sums[i] / rows.count());
  });
}

}  // namespace

TESSERA_OP(batch_mean) {
  return {
      .mindspore_name = "BatchNorm(is_training=True)",
      .doc = "mean[r,c] = the mean of x[n,c,...] over all dims but c and the rows of group r.",
      .operands = {{"x"}},
      .attrs = {internal::groups_attr()},
      .rule =
          [](const OpCall& call) {
            const internal::BatchWords words = internal::batch_words(call);
            return words.x + " -> " + words.made;
          },
      .check = internal::check_batch_groups,
      .kernels = {reference(batch_mean_cpu)},
      .examples = {{{{4, 3, 4, 5}}},
                   {{{6, 5}}, {{"groups", 3}}},
                   {{{4, 18, 3, 5}}, {{"groups", 2}}}},
  };
}

}  // namespace tessera
