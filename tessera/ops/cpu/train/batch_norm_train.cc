#include <cmath>

#include "tessera/ops/cpu/train/internal/batch_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class BatchNormTrain final : public internal::BatchKernel {
 public:
  BatchNormTrain(const OpCall& call, const Formats& offered)
      : BatchKernel(call, offered, std::array<size_t, 1>{0}, call.operands[3]),
        epsilon_(call.attr<double>("epsilon")) {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = in(operands, 0);
    const float* mean = in(operands, 3);
    float* y = out(results, 0);
    std::vector<float> scales, shifts;
    for (int64_t s = 0; s < statistics_; ++s) {
      const int64_t c = s % rows_.channels();
      scales.push_back(
          static_cast<float>(in(operands, 1)[c] / std::sqrt(in(operands, 4)[s] + epsilon_)));
      shifts.push_back(in(operands, 2)[c]);
    }
    in_parallel([&](int64_t at, int64_t s) {
      const float* centre = mean + s;
      const float* scale = scales.data() + s;
      const float* shift = shifts.data() + s;
      internal::map_block(view_, y + at, [=, block = x + at](int64_t i, int64_t lane) {
        return (block[i] - centre[lane]) * scale[lane] + shift[lane];
      });
    });
  }

 private:
  double epsilon_;
};

}  // namespace

TESSERA_KERNEL(batch_norm_train, cpu_train) {
  return internal::batch_kernel<BatchNormTrain>();
}

}  // namespace tessera
