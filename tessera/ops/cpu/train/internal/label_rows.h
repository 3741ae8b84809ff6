// What the fast kernels of cross entropies share: rows of f32 logits with a label each, the
// row-major operands 0 and 1.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/internal/softmax_row.h"

namespace tessera::internal {

/// Yes for f32 logits, labels of any integers, and f32 gradients where there are some.
inline Support f32_logits(const OpCall& call) {
  for (size_t i = 0; i < call.operand_count(); ++i)
    if (i != 1 && call.operands[i].dtype != DType::kF32) return Support::no("not all is f32");
  if (element_count(call.shape(0)) == 0) return Support::no("there are no elements here");
  return Support::yes();
}

/// The labels of all rows, each one of the classes.
inline std::vector<int64_t> checked_labels(const Tensor& labels, int64_t classes) {
  const Tensor wide = labels.cast(DType::kI64);
  std::vector<int64_t> checked(static_cast<size_t>(wide.shape()[0]));
  for (int64_t n = 0; n < std::ssize(checked); ++n)
    checked[static_cast<size_t>(n)] = label_of(wide, n, classes);
  return checked;
}

/// Sets shares[c] to exp(row[c] - top), top being the row's largest; gives top and the sum. All in
/// double, with the numbers of softmax_row: what is rounded here training would not forget.
inline SoftmaxRow exponentials(const float* row, int64_t classes, double* shares) {
  float top = -HUGE_VALF;
  for (int64_t c = 0; c < classes; ++c) top = row[c] > top ? row[c] : top;
  SoftmaxRow made{static_cast<double>(top), 0};
  for (int64_t c = 0; c < classes; ++c) {
    shares[c] = std::exp(static_cast<double>(row[c]) - made.top);
    made.sum += shares[c];
  }
  return made;
}

class LabelRows : public DirectKernel {
 public:
  explicit LabelRows(const OpCall& call)
      : DirectKernel(call, 8.0 * static_cast<double>(element_count(call.shape(0))),
                     call.shape(0)[0]),
        rows_(call.shape(0)[0]),
        classes_(call.shape(0)[1]) {}

 protected:
  struct Row {
    int64_t n = 0;
    int64_t label = 0;
    const float* logits = nullptr;
    SoftmaxRow sums;                 // with `shares`, what exponentials() gives
    const double* shares = nullptr;  // per class
  };

  /// Calls visit(row) for every row, on as many threads as that is worth.
  template <typename Visit>
  void each_row(std::span<const Tensor> operands, const Visit& visit) const {
    const std::vector<int64_t> labels = checked_labels(operands[1], classes_);
    const float* logits = in(operands, 0);
    parallel_ranges(rows_, threads_, [&](int64_t begin, int64_t end) {
      std::vector<double> shares(static_cast<size_t>(classes_));
      for (int64_t n = begin; n < end; ++n) {
        const float* row = logits + n * classes_;
        visit(Row{n, labels[static_cast<size_t>(n)], row,
                  exponentials(row, classes_, shares.data()), shares.data()});
      }
    });
  }

  int64_t rows_;
  int64_t classes_;
};

/// A kernel whose prepared form is Prepared(call).
template <typename Prepared>
Kernel label_rows_kernel() {
  return {.name = "vector",
          .device = DeviceKind::kCpu,
          .supports = f32_logits,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<Prepared>(call);
          }};
}

}  // namespace tessera::internal
