#include <cmath>

#include "tessera/ops/cpu/train/internal/batch_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class BatchNormTrainGrad final : public internal::BatchKernel {
 public:
  BatchNormTrainGrad(const OpCall& call, const Formats& offered)
      : BatchKernel(call, offered, std::array<size_t, 2>{0, 4}, call.operands[2]),
        epsilon_(call.attr<double>("epsilon")) {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = in(operands, 0);
    const float* mean = in(operands, 2);
    const float* g = in(operands, 4);
    float* y = out(results, 0);
    std::vector<float> scales, shares, slopes;
    for (int64_t s = 0; s < statistics_; ++s) {
      const double deviation = std::sqrt(in(operands, 3)[s] + epsilon_);
      scales.push_back(static_cast<float>(in(operands, 1)[s % rows_.channels()] / deviation));
      shares.push_back(static_cast<float>(in(operands, 5)[s] / rows_.count()));
      slopes.push_back(static_cast<float>(in(operands, 6)[s] / rows_.count() / deviation));
    }
    in_parallel([&](int64_t at, int64_t s) {
      const float* centre = mean + s;
      const float* scale = scales.data() + s;
      const float* share = shares.data() + s;
      const float* slope = slopes.data() + s;
      const float* gradient = g + at;
      internal::map_block(view_, y + at, [=, block = x + at](int64_t i, int64_t lane) {
        return scale[lane] * (gradient[i] - share[lane] - (block[i] - centre[lane]) * slope[lane]);
      });
    });
  }

 private:
  double epsilon_;
};

}  // namespace

TESSERA_KERNEL(batch_norm_train_grad, cpu_train) {
  return internal::batch_kernel<BatchNormTrainGrad>();
}

}  // namespace tessera
