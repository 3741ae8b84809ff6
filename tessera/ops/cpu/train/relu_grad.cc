#include "tessera/ops/cpu/train/internal/one_row.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class ReluGrad final : public internal::OneRow {
 public:
  using OneRow::OneRow;

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* gradient = internal::floats_of(operands[0]);
    const float* y = internal::floats_of(operands[1]);
    set_each(results[0], [=](int64_t i) {
      const float passed = gradient[i];
      return y[i] > 0 ? passed : 0.0F;
    });
  }
};

}  // namespace

TESSERA_KERNEL(relu_grad, cpu_train) {
  return internal::one_row_kernel<ReluGrad>();
}

}  // namespace tessera
