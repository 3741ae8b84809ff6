// What the kernels of batch norm in training share: images in whatever format convolutions leave
// them, statistics row-major.
#pragma once

#include <vector>

#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/train/internal/channel_view.h"
#include "tessera/ops/internal/norm/batch_groups.h"

namespace tessera::internal {

class BatchKernel : public PreparedKernel {
 public:
  /// `images`: the operands that are of x's shape and format; `statistics` is the type of an
  /// operand or result [r,c].
  BatchKernel(const OpCall& call, const Formats& offered, std::span<const size_t> images,
              const TensorType& statistics);
  const Formats& formats() const override { return formats_; }

 protected:
  static const float* in(std::span<const Tensor> operands, size_t i);
  static float* out(std::span<Tensor> results, size_t i);

  /// Calls visit(at, statistics) for every block of the rows [begin, end): where it begins in an
  /// image, and its first channel in the statistics.
  template <typename Visit>
  void each_block(int64_t begin, int64_t end, const Visit& visit) const {
    for (int64_t n = begin; n < end; ++n)
      for (int64_t b = 0; b < view_.blocks; ++b)
        visit(n * view_.row() + b * view_.inner * view_.lanes,
              rows_.statistics_of(n) + b * view_.lanes);
  }

  /// Sums of terms(at, statistics) over all rows into kSums arrays one after the other:
  /// `terms_at(at, statistics)` gives what add_block takes.
  template <size_t kSums, typename TermsAt>
  std::vector<double> sum(const TermsAt& terms_at) const {
    const auto parts = static_cast<size_t>(threads_);
    const auto size = static_cast<size_t>(statistics_);
    std::vector<double> sums(parts * kSums * size, 0.0);
    parallel_ranges(static_cast<int64_t>(parts), threads_, [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p) {
        double* mine = sums.data() + static_cast<size_t>(p) * kSums * size;
        each_block(view_.outer * p / threads_, view_.outer * (p + 1) / threads_,
                   [&](int64_t at, int64_t s) {
                     std::array<double*, kSums> to;
                     for (size_t k = 0; k < kSums; ++k)
                       to[k] = mine + k * size + static_cast<size_t>(s);
                     add_block(view_, terms_at(at, s), to);
                   });
      }
    });
    for (size_t i = kSums * size; i < sums.size(); ++i) sums[i % (kSums * size)] += sums[i];
    return sums;
  }

  /// Calls visit(at, statistics) for every block, on as many threads as that is worth.
  template <typename Visit>
  void in_parallel(const Visit& visit) const {
    parallel_ranges(view_.outer, threads_,
                    [&](int64_t begin, int64_t end) { each_block(begin, end, visit); });
  }

  BatchRows rows_;
  ChannelView view_;
  int64_t statistics_;  // elements

 private:
  int threads_;
  Formats formats_;
};

/// Yes when all is f32 and filled.
Support batch_supports(const OpCall& call);

/// A kernel whose prepared form is Prepared(call, offered).
template <typename Prepared>
Kernel batch_kernel() {
  return {
      .name = "vector",
      .device = DeviceKind::kCpu,
      .supports = batch_supports,
      .prepare = [](const OpCall& call, const Formats& offered) -> std::unique_ptr<PreparedKernel> {
        return std::make_unique<Prepared>(call, offered);
      }};
}

}  // namespace tessera::internal
