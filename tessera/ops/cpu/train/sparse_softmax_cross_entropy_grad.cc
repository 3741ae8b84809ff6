#include "tessera/ops/cpu/train/internal/label_rows.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class CrossEntropyGrad final : public internal::LabelRows {
 public:
  using LabelRows::LabelRows;

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* gradient = in(operands, 2);
    float* changed = out(results);
    each_row(operands, [=, this](const Row& row) {
      const auto scale = static_cast<double>(gradient[row.n]);
      float* to = changed + row.n * classes_;
      for (int64_t c = 0; c < classes_; ++c)
        to[c] =
            static_cast<float>(scale * (row.shares[c] / row.sums.sum - (c == row.label ? 1 : 0)));
    });
  }
};

}  // namespace

TESSERA_KERNEL(sparse_softmax_cross_entropy_grad, cpu_train) {
  return internal::label_rows_kernel<CrossEntropyGrad>();
}

}  // namespace tessera
