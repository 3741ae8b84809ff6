#include "tessera/ops/cpu/train/internal/label_rows.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class CrossEntropy final : public internal::LabelRows {
 public:
  using LabelRows::LabelRows;

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    float* losses = out(results);
    each_row(operands, [=](const Row& row) {
      const auto known = static_cast<double>(row.logits[row.label]);
      losses[row.n] = static_cast<float>(-row.sums.log_probability(known));
    });
  }
};

}  // namespace

TESSERA_KERNEL(sparse_softmax_cross_entropy, cpu_train) {
  return internal::label_rows_kernel<CrossEntropy>();
}

}  // namespace tessera
